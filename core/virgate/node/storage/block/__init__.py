"""Domains that are volume groups on shared disks: ISCSI, FCP and what plugins add (spec storage-format 2)."""
