"""Names of keys as people write them, and the codes that Linux has for them (linux/input-event-codes.h)."""

import re
from collections.abc import Iterable
from typing import ClassVar

from virgate.errors import VirgateError, error

MOST = 16
"""Keys at a time, which is what libvirt takes."""
_ROWS = ((2, "1234567890"), (16, "qwertyuiop"), (30, "asdfghjkl"), (44, "zxcvbnm"))
_NAMED = {
    "esc": 1,
    "minus": 12,
    "equal": 13,
    "backspace": 14,
    "tab": 15,
    "leftbrace": 26,
    "rightbrace": 27,
    "enter": 28,
    "leftctrl": 29,
    "semicolon": 39,
    "apostrophe": 40,
    "grave": 41,
    "leftshift": 42,
    "backslash": 43,
    "comma": 51,
    "dot": 52,
    "slash": 53,
    "rightshift": 54,
    "leftalt": 56,
    "space": 57,
    "capslock": 58,
    "numlock": 69,
    "scrolllock": 70,
    "f11": 87,
    "f12": 88,
    "rightctrl": 97,
    "sysrq": 99,
    "rightalt": 100,
    "home": 102,
    "up": 103,
    "pageup": 104,
    "left": 105,
    "right": 106,
    "end": 107,
    "down": 108,
    "pagedown": 109,
    "insert": 110,
    "delete": 111,
    "pause": 119,
    "leftmeta": 125,
    "rightmeta": 126,
    "menu": 139,
}
_SHORT = {
    "ctrl": "leftctrl",
    "control": "leftctrl",
    "alt": "leftalt",
    "altgr": "rightalt",
    "shift": "leftshift",
    "meta": "leftmeta",
    "super": "leftmeta",
    "win": "leftmeta",
    "del": "delete",
    "ins": "insert",
    "escape": "esc",
    "return": "enter",
    "print": "sysrq",
    "pgup": "pageup",
    "pgdn": "pagedown",
}
CODES = (
    {key: first + place for first, row in _ROWS for place, key in enumerate(row)}
    | {f"f{number}": 58 + number for number in range(1, 11)}
    | _NAMED
)


@error
class UnknownKey(VirgateError):
    """A name that stands for no key."""

    code: ClassVar[int] = 16
    text: ClassVar[str] = "There is no key {self.name!r}; names are those of Linux, such as leftctrl, f1, a"
    name: str


def codes(keys: object) -> list[int]:
    """The codes of keys that are pressed together: a list of names, or one text such as `ctrl-alt-f1`."""
    names = re.split(r"[-+ ]", keys) if isinstance(keys, str) else list(keys) if isinstance(keys, Iterable) else [keys]
    if not 0 < len(names) <= MOST:
        raise UnknownKey("-".join(map(str, names)))
    return [_code(str(name)) for name in names]


def _code(given: str) -> int:
    name = given.lower().removeprefix("key_")
    try:
        return CODES[_SHORT.get(name, name)]
    except KeyError:
        raise UnknownKey(given) from None
