"""A domain: its identity, metadata and health (domain.py), its images (store.py), how it is found, made, watched.

Kinds of storage implement `Domain` and `ImageStore`: `storage.file` and `storage.block`.
"""
