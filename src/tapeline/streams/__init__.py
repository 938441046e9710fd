"""Valkey lanes: one stream and one live owner per lane, effects exactly once. The contract stands in ``store``."""
