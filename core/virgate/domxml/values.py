"""How leniently old clients' values are read: numbers as text, booleans as words (spec xmlrpc-host-vm 1.5)."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, TypeAlias

from virgate.domxml.errors import CannotCreate
from virgate.errors import InvalidParameter

Conf: TypeAlias = dict[str, Any]


def flag(value: object) -> bool:
    """True for true, "true" in any case, and numbers that are not zero; false for all else ("yes" too)."""
    if isinstance(value, str) and value.lower() == "true":
        return True
    try:
        return bool(int(value))  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return False


def integer(conf: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """The number called `name`, given as number or as decimal text; `default` when absent or empty."""
    value = conf.get(name)
    if default is not None and (value is None or value == ""):
        return default
    try:
        return int(str(value).strip()) if not isinstance(value, int) else int(value)
    except ValueError:
        raise InvalidParameter(name, value) from None


def text(conf: Mapping[str, Any], name: str, default: str = "") -> str:
    """The value called `name` as text; `default` when absent or empty."""
    value = conf.get(name)
    return default if value is None or value == "" else str(value)


def struct(conf: Mapping[str, Any], name: str) -> Conf:
    """The struct called `name`; empty when absent or of another type, as clients send '' for nothing."""
    value = conf.get(name)
    return value if isinstance(value, dict) else {}


def structs(conf: Mapping[str, Any], name: str) -> list[Conf]:
    """The list of structs called `name`; empty when absent."""
    value = conf.get(name)
    if value is None or value == "":
        return []
    if not isinstance(value, list | tuple) or not all(isinstance(one, dict) for one in value):
        raise InvalidParameter(name, value)
    return list(value)


def without_nothing(value: Any) -> Any:
    """A copy without nil members, which mean the default and which no answer could carry."""
    if isinstance(value, dict):
        return {name: without_nothing(below) for name, below in value.items() if below is not None}
    if isinstance(value, list | tuple):
        return [without_nothing(below) for below in value if below is not None]
    return value


def safe_path(name: str, value: object) -> str:
    """A path of the repository or the host without any way up; `CannotCreate` otherwise."""
    given = "" if value is None else str(value)
    if ".." in PurePosixPath(given).parts or "\0" in given:
        raise CannotCreate(f"Path of {name} must not contain '..': {given}")
    return given


def safe_component(name: str, value: object) -> str:
    """An id that becomes one component of a repository path; `CannotCreate` when it would be more than that."""
    given = "" if value is None else str(value)
    if given in (".", "..") or "/" in given or "\0" in given:
        raise CannotCreate(f"Value of {name} is not an id: {given}")
    return given
