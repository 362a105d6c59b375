"""Reads settings files into section values, remembering the origin of each key.

Later sources win key by key: defaults, the file, `conf.d/*.toml` beside it in name order, assignments of the command
line. A section is built when it is first asked for, so a plugin may declare its own after the files were read.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
from attrs import field, frozen

from virgate.config.declaring import sections

S = TypeVar("S")


class SettingsError(Exception):
    """A wrong file, key or value: one line with origin, key and the nearest valid name."""


@frozen
class Entry:
    """A value as it was written, and where."""

    value: Any
    origin: str


@frozen
class Settings:
    """Values of all sections; index by the section class."""

    _entries: dict[str, dict[str, Entry]] = field(factory=dict)
    _built: dict[type, Any] = field(factory=dict)

    def __getitem__(self, section: type[S]) -> S:
        if section not in self._built:
            self._built[section] = self._build(section)
        return self._built[section]  # type: ignore[no-any-return]

    def origin(self, section: str, key: str) -> str:
        """Where the value came from: a file, `--set`, or `default`."""
        entry = self._entries.get(section, {}).get(key)
        return entry.origin if entry else "default"

    def raw(self, section: str) -> dict[str, Any]:
        """What was written under a section whose plugin is not loaded here."""
        return {key: entry.value for key, entry in self._entries.get(section, {}).items()}

    def check(self) -> None:
        """Builds every declared section; raises `SettingsError` for the first thing that is wrong."""
        for name, entries in self._entries.items():
            if name not in sections():
                entry = next(iter(entries.values()), Entry(None, "settings"))
                raise SettingsError(f"{entry.origin}: there is no section [{name}]{_nearest(name, sections())}")
        for section in sections().values():
            self[section]

    def _build(self, section: type[S]) -> S:
        name = next(name for name, cls in sections().items() if cls is section)
        hints = get_type_hints(section)
        given: dict[str, Any] = {}
        for key, entry in self._entries.get(name, {}).items():
            if key not in hints:
                raise SettingsError(f"{entry.origin}: [{name}] has no key {key}{_nearest(key, hints)}")
            try:
                given[key] = _convert(entry.value, hints[key])
                section(**{key: given[key]})
            except (TypeError, ValueError) as error:
                reason = str(error.args[0] if error.args else error)
                secret = field_of(section, key).metadata.get("secret")
                shown = "(not shown)" if secret else repr(entry.value)
                raise SettingsError(f"{entry.origin}: [{name}] {key} = {shown}: {reason}") from None
        return section(**given)


def load(file: Path | None = None, assignments: Iterable[str] = ()) -> Settings:
    """Reads the file (None: none), `conf.d/*.toml` beside it, and `section.key=value` assignments."""
    entries: dict[str, dict[str, Entry]] = {}
    for path in [file, *sorted((file.parent / "conf.d").glob("*.toml"))] if file else []:
        _merge(entries, _read(path), str(path))
    for assignment in assignments:
        section, key, value = _split(assignment)
        _merge(entries, {section: {key: value}}, "--set")
    return Settings(entries)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None


def _merge(entries: dict[str, dict[str, Entry]], tables: dict[str, Any], origin: str) -> None:
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise SettingsError(f"{origin}: {section} stands outside any section, such as [daemon]")
        entries.setdefault(section, {}).update({key: Entry(value, origin) for key, value in table.items()})


def _split(assignment: str) -> tuple[str, str, Any]:
    name, equals, text = assignment.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section and key):
        raise SettingsError(f"--set {assignment}: expected section.key=value")
    try:
        return section, key, tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return section, key, text


def _convert(value: Any, hint: Any) -> Any:
    """The value as the annotated type; raises ValueError with what was expected."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        for choice in get_args(hint):
            try:
                return _convert(value, choice)
            except ValueError:
                continue
    elif origin is Literal:
        if value in get_args(hint):
            return value
    elif origin is list:
        items = [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value
        if isinstance(items, list):
            return [_convert(item, *get_args(hint)) for item in items]
    elif origin is dict:
        if isinstance(value, dict):
            return {key: _convert(item, get_args(hint)[1]) for key, item in value.items()}
    elif hint is type(None) and value == "":
        return None
    elif hint is Path and isinstance(value, str) and value:
        return Path(value)
    elif hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    elif isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise ValueError(f"expected {_described(hint)}")


def _described(hint: Any) -> str:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return " or ".join(_described(choice) for choice in get_args(hint))
    if origin is Literal:
        return " or ".join(repr(choice) for choice in get_args(hint))
    if origin is list:
        return f"a list, each item {_described(get_args(hint)[0])}"
    if origin is dict:
        return "a table"
    words = {str: "a string", int: "an integer", float: "a number", bool: "true or false", Path: "a path"}
    return "empty" if hint is type(None) else words.get(hint, str(hint))


def _nearest(word: str, known: Iterable[str]) -> str:
    import difflib  # only for somebody who mistyped

    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f", did you mean {found[0]}?" if found else f" (known: {', '.join(known)})"


def field_of(section: type, key: str) -> Any:
    """The attrs attribute of a key: its sentence and secrecy are in `metadata`."""
    return getattr(attrs.fields(section), key)
