"""Stages over bounded channels, owned by task groups."""
