"""Imports the reactor without the TLS libraries: 15 MiB that a daemon which encrypts nothing need not hold.

Twisted takes OpenSSL, and by way of the standard library's HTTP client ssl, wherever it finds them. They are hidden
while the reactor is imported and can be imported afterwards; a port with TLS does that when it opens.
"""

import ctypes
import gc
import sys

HIDDEN = ("OpenSSL", "ssl")
WITHOUT_TLS = ("http.client", "http.cookiejar", "urllib.request")
"""Modules that were made while ssl was hidden: whoever imports them later gets them whole."""


def import_reactor() -> None:
    """Does nothing when somebody, a test runner for example, has a reactor already."""
    if "twisted.internet.reactor" in sys.modules:
        return
    hidden = [name for name in HIDDEN if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        import twisted.internet.reactor  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]
        if "ssl" in hidden:
            for name in WITHOUT_TLS:
                sys.modules.pop(name, None)


def give_back_memory() -> None:
    """What the imports needed for a moment goes back to the system."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


import_reactor()
