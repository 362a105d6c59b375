"""Imports the reactor without what a daemon that encrypts nothing need not hold: 15 MiB of TLS, 5 MiB of other things.

Twisted takes OpenSSL, and by way of the standard library's HTTP client ssl, wherever it finds them; that client and
html, with its table of all characters, it imports for old names of its own, and asyncio for the names of two types.
They are hidden or replaced by stand-ins while the reactor is imported and can be imported afterwards; a port with TLS
does that when it opens.
"""

import ctypes
import gc
import http
import sys
from collections.abc import Coroutine
from types import CoroutineType, ModuleType
from typing import Any

HIDDEN = ("OpenSSL", "ssl", "bz2", "lzma")
"""The last two serve shutil and zipfile for archives of kinds that nothing here reads."""


def _is_coroutine(thing: object) -> bool:
    return type(thing) is CoroutineType or isinstance(thing, Coroutine)


def _escape(text: str, quote: bool = True) -> str:
    from html import escape

    return escape(text, quote)


STAND_INS: dict[str, dict[str, Any]] = {
    "http.cookiejar": {},
    "html": {"escape": _escape},
    "asyncio": {"AbstractEventLoop": Any, "Future": list, "iscoroutine": _is_coroutine},
}
"""The two types of asyncio stand in annotations only."""


def import_reactor() -> None:
    """Does nothing when somebody, a test runner for example, has a reactor already."""
    if "twisted.internet.reactor" in sys.modules:
        return
    hidden = [name for name in HIDDEN if name not in sys.modules]
    replaced = [name for name in STAND_INS if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    for name in replaced:
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(STAND_INS[name])
    http.cookiejar = sys.modules["http.cookiejar"]
    try:
        import shutil  # noqa: F401
        import zipfile  # noqa: F401

        import twisted.internet.reactor  # noqa: F401
    finally:
        for name in (*hidden, *replaced):
            del sys.modules[name]
        if "http.cookiejar" in replaced:
            del http.cookiejar


def give_back_memory() -> None:
    """What the imports needed for a moment goes back to the system."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


import_reactor()
