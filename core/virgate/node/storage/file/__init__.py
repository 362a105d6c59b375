"""Domains that are folders: LOCALFS, NFS, POSIXFS, GLUSTERFS and what plugins add (spec storage-format 1)."""
