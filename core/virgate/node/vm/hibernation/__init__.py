"""Machines that sleep on storage: saved with their memory, woken up again, on this host or another (spec migration 11).

Read `handle.py` (the two volumes a machine sleeps on) and `conf_file.py` (what lies in the smaller one) first, then
`save.py` and `restore.py`.
"""
