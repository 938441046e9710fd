"""The vendors, simulated: one HTTP server in their wire formats, a process of its own (``python -m tapeline.sim``).

In: the shipped market.  Out: Alpaca's data and reference routes, news as RSS, and the replay's clock, on 127.0.0.1.
Refuses to tell anything that had not happened yet at its own logical time. Imports core and data only.
"""
