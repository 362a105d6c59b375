"""Reads settings files into section values, remembering the origin of each key."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from virgate.config.declaring import sections

S = TypeVar("S")


class SettingsError(Exception):
    """A wrong key or value: one line with file, key and the nearest valid name."""


class Settings:
    """Values of all sections; index by the section class."""

    def __init__(self, values: dict[type, Any], origins: dict[tuple[str, str], str]) -> None:
        self._values = values
        self.origins = origins

    def __getitem__(self, section: type[S]) -> S:
        return self._values[section]  # type: ignore[no-any-return]


def load(file: Path | None = None, assignments: Iterable[str] = ()) -> Settings:
    return Settings({cls: cls() for cls in sections().values()}, {})
