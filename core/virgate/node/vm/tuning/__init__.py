"""Limits of machines that run: memory, processors, disks, and the policy that a memory manager works by.

`qos.py` is the policy as metadata keep it and `limits.py` the limits of a disk, both pure; `policy.py`, `disks.py`,
`processors.py` and `balloon.py` are the verbs. What is in force is in the domain itself, so nothing is lost with the
daemon.
"""
