"""The whole-market scan: transparent factors over every symbol at once."""
