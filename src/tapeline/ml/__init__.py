"""The feature contract and the models that learn from it."""
