"""How we ask vendors: one gateway in front of every host, one adapter per vendor, a poller and a history fetch.

In: symbols and moments.  Out: ``BarFrame``s and headlines as outcomes.  Refuses to be silently late, doubled or short.
"""
