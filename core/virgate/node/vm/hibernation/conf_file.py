"""The parameters of a saved machine as they lie on storage: a pickled mapping of plain values (spec migration 11.2).

Whoever may write to the storage could put any pickle there, so none is ever run (see `plain_pickle.py`).
"""

import pickle
from collections.abc import Mapping
from typing import Any

from attrs import define

from virgate.node.vm.hibernation.errors import BadConf, UnwritableConf
from virgate.node.vm.hibernation.plain_pickle import Improper, load

PROTOCOL = 2
LONGEST = 4 << 20
"""Bytes of the longest pickle that is read; the volume that clients make for it has 10240."""
DEEPEST = 50
MOST = 100_000
"""Values in one mapping, counted as often as they are named: a small file could name one list a million times."""
BLOCK = 4096


def write(conf: Mapping[str, Any]) -> bytes:
    """The pickle that every host of the family reads. Raises `UnwritableConf` for what is not plain."""
    try:
        plain = _plain(conf, _Count())
    except Improper as what:
        raise UnwritableConf(str(what)) from None
    return pickle.dumps(plain, PROTOCOL)


def padded(data: bytes, block: int = BLOCK) -> bytes:
    """With zeros to whole blocks: the rest of the volume keeps what was there, and readers stop at the end before."""
    return data + b"\0" * (-len(data) % block)


def read(data: bytes) -> dict[str, Any]:
    """The mapping at the beginning of `data`; what lies behind it does not matter. Raises `BadConf`."""
    try:
        value = load(data[:LONGEST])
        plain = _plain(value, _Count())
    except Improper as what:
        raise BadConf(str(what)) from None
    if not isinstance(plain, dict) or not all(isinstance(key, str) for key in plain):
        raise BadConf("it is no mapping of names")
    return plain


@define
class _Count:
    left: int = MOST


def _plain(value: Any, count: _Count, depth: int = 0) -> Any:
    """A copy of exactly the plain types, without shared parts and without circles."""
    count.left -= 1
    if depth > DEEPEST or count.left < 0:
        raise Improper("too many values, or nested too deeply")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        count.left -= len(value) >> 6
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {_plain(key, count, depth + 1): _plain(item, count, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_plain(item, count, depth + 1) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")  # protocol 2 has no bytes, and clients of the family know texts only
    raise Improper(f"a value of type {type(value).__name__}")
