"""What a client wants of a server, and the command line that does it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from virgate.errors import InvalidParameter
from virgate.node.storage.sdm.volumes import Target
from virgate.node.storage.values import VolumeAddress

PROGRAM = "qemu-nbd"
CLIENTS = 8
"""Connections at the same time: clients read and write faster with several."""
LONGEST_BITMAP = 1023
"""Characters that QEMU allows in the name of a bitmap."""


@frozen
class Wish:
    """`chain`: with what the volumes below hold; `bitmap`: of this one the dirty blocks are told as well."""

    address: VolumeAddress
    readonly: bool = False
    discard: bool = False
    detect_zeroes: bool = False
    chain: bool = True
    bitmap: str = ""

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Wish":
        """From `{sd_id, img_id, vol_id, readonly, discard, detect_zeroes, backing_chain, bitmap}`; `InvalidParameter`.

        A bitmap is told of what does not change, and of the whole chain.
        """
        address = Target.read({name: given[name] for name in ("sd_id", "img_id", "vol_id") if name in given}).address
        bitmap = given.get("bitmap") or ""
        if not isinstance(bitmap, str) or len(bitmap) > LONGEST_BITMAP or "\0" in bitmap:
            raise InvalidParameter("bitmap", bitmap)
        made = cls(
            address,
            _flag(given, "readonly"),
            _flag(given, "discard"),
            _flag(given, "detect_zeroes"),
            _flag(given, "backing_chain", True),
            bitmap,
        )
        if bitmap and not (made.readonly and made.chain):
            raise InvalidParameter("bitmap", f"{bitmap}: needs readonly and backing_chain")
        return made

    def argv(self, path: Path, format: str, socket: Path, *, direct: bool) -> list[str]:
        """`direct` reads and writes past the page cache, as one must on a device that other hosts use."""
        argv = [PROGRAM, f"--socket={socket}", "--persistent", f"--shared={CLIENTS}"]
        argv.append(f"--cache={'none' if direct else 'writeback'}")
        argv.append(f"--discard={'unmap' if self.discard else 'ignore'}")
        if self.detect_zeroes:
            argv.append(f"--detect-zeroes={'unmap' if self.discard else 'on'}")
        if self.readonly:
            argv.append("--read-only")
        if self.bitmap:
            argv.append(f"--bitmap={self.bitmap}")
        if self.chain or format == "raw":
            return [*argv, f"--format={format}", "--", str(path)]
        return [*argv, "--", "json:" + json.dumps({"driver": format, "backing": None, "file.filename": str(path)})]


def _flag(given: Mapping[str, Any], name: str, default: bool = False) -> bool:
    value = given.get(name, default)
    if not isinstance(value, bool):
        raise InvalidParameter(name, value)
    return value
