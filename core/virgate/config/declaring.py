"""Declares settings: `section` registers a frozen attrs class under its TOML table name, `option` one key of it."""

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

C = TypeVar("C")

_sections: dict[str, type] = {}


def option(default: Any, sentence: str, *validators: Callable[[Any, Any, Any], Any], secret: bool = False) -> Any:
    """One key. The annotation is its type; a callable default is called, a list or dict is copied, for each reading.

    Validators are attrs validators (`ge`, `in_`, `matches_re`, ...). `secret` keeps the value out of every dump.
    """
    if isinstance(default, list | dict):
        made = attrs.Factory(lambda: type(default)(default))
    else:
        made = attrs.Factory(default) if callable(default) else default
    return attrs.field(default=made, validator=list(validators), metadata={"sentence": sentence, "secret": secret})


def section(name: str) -> Callable[[type[C]], type[C]]:
    """Registers the class as the TOML table `[name]`; its docstring is the table's comment."""

    def declare(cls: type[C]) -> type[C]:
        made = attrs.frozen(kw_only=True)(cls)
        _sections[name] = made
        return made

    return declare


def sections() -> dict[str, type]:
    """Every declared section by its table name, in name order."""
    return dict(sorted(_sections.items()))
