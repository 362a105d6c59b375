"""Thin volumes on block domains: when they need room, how much, and the road to the one host that may give it.

`policy.py` decides, without I/O; `growing.py` is the front; `extending.py` does it on the SPM; `address.py` is the
record of where the SPM is, `book.py` keeps it on storage, `calling.py` calls there; the other road is `mailbox/`. When
a machine needs room, `node/vm/thin.py` says.
"""
