"""Learned models: the contract of features, training without peeking, forecasts, and what the models are worth."""
