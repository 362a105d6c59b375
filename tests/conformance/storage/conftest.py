"""Rooms for the tests of this folder."""

from contract.storage.room import room

__all__ = ["room"]
