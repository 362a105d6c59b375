"""The daemons of other hosts: where ours is reached (`endpoint.py`) and how a verb of theirs is called (`calling.py`).

Whoever calls knows what the answer means and how far it is to be believed: nothing of that lives here.
"""
