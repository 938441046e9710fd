"""The whole-market scan: transparent factors over every symbol at once.

``scan`` is imported lazily by ``tapeline`` itself; the types of its result stand in ``tapeline.scan.result``.
"""
