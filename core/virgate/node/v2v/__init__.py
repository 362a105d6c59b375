"""Machines of other hypervisors: what there is to import, and importing it with virt-v2v.

`ovf.py`, `documents.py`, `command.py`, `progress.py` and `wish.py` are pure; `archives.py` runs in a helper process,
because an archive may lie on storage that hangs; `imports.py` holds the jobs. A daemon that imports nothing knows only
`door.py`.
"""
