"""Stages over bounded channels, owned by task groups.

In: items, and what is to be done with each.  Out: every item exactly once, done or with the reason why not.
Refuses to hold logical time still while a task of ours waits for another, and to hold more than was allowed.
"""
