"""The page and the API of a running node, on this machine only.

In: a ``NodeView`` of the node.  Out: JSON, server-sent events and a static page.
Refuses other hosts' names, and to start anything without the node's token.
"""
