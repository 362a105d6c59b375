"""Connections to storage servers."""
