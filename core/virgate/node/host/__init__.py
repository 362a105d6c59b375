"""The host itself: what it is, what it can do, how busy it is.

`host.py` is the front. `tree.py` reads /proc and /sys; `cpu.py`, `memory.py`, `devices.py`, `identity.py` and
`features.py` turn what it reads into values; `sample.py` and `rates.py` make figures of two readings; `capabilities.py`
and `statistics.py` say them in the words of the wire (spec xmlrpc-host-vm 5).
"""
