"""From a signal to a booked fill: router, limits, broker and account, all functions of their inputs.

In: signals, prices, bars.  Out: orders, clamps, fills, and the account that they make.
Refuses to break a limit, to block an exit, and to fill from what was already known.
"""
