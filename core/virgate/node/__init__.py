"""The node role: runs and guards machines, storage and networks.

`node.py` holds the value that every verb gets, `assemble.py` builds it. The managers know each other only through
small protocols and the event bus, and own their fields. This file imports nothing: helper processes pass through it.
"""
