"""Virgate: virtual machines on one host or many, every concern a plugin, every event a hook point.

Read `hookspecs/` first: it is the table of contents. Then `plugins.py`, then the room you came for; each room's
`__init__` says what lives there and what must not.
"""

import pluggy

__version__ = "0.1.0"

API_VERSION = 1
"""The plugin contract. A plugin module may say `virgate_api = 1`; another number is refused with a clear line."""

hookimpl = pluggy.HookimplMarker("virgate")
"""Marks a function of a plugin as an implementation of the hook point of the same name."""
