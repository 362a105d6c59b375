"""Looking whether a domain is sound, without changing anything: what is wrong with it, and how to mend that.

`check.py` reads, the others judge what was read and know no storage.
"""
