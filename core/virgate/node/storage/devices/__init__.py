"""Disks of storage networks: what the kernel shows of them, paths joined to devices. Start with `devices.py`."""
