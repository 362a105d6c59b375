"""Machines on their way between hosts: leaving (`departure.py`), arriving, and when to press on (spec migration)."""
