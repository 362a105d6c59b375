"""Managers made when they are first asked for something: what a quiet daemon never does need not be in memory."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


def late(make: Callable[[], T]) -> T:
    """Looks like what `make` makes."""
    return cast(T, _Late(make))


def made(thing: object) -> bool:
    """Whether a late one was asked for anything yet."""
    return not isinstance(thing, _Late) or thing._made is not None


class _Late:
    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = self._make()
        return getattr(self._made, name)
