"""What a domain carries of work on its volumes, so that a daemon that starts anew ends what another one began.

An element of our own beside the other metadata, so that no other writer of metadata can undo it: merges that are not
synchronised with storage yet, and whether a snapshot may have left the guest's file systems frozen. Whoever writes
holds `machine.changing`.
"""

import json
from typing import TYPE_CHECKING, Any, Self

from attrs import asdict, evolve, field, frozen
from attrs import fields as fields_of

from virgate.domxml import tree

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

URI, PREFIX, NAME = "http://virgate.org/vm/jobs/1.0", "virgate-jobs", "jobs"


@frozen
class Merge:
    """A merge as it was asked for: what `gone` held is to be in `base`."""

    id: str
    target: str
    domain: str
    image: str
    base: str
    top: str
    gone: tuple[str, ...]
    """The volumes above the base up to the top, which the chain loses."""
    bandwidth: int = 0
    chunked: bool = False
    """Whether the base is a thin volume on block storage, which has to be kept as large as what comes into it."""

    @classmethod
    def read(cls, found: Any) -> Self | None:
        """None for what is no merge: anybody who may change the domain could write here."""
        wanted = {one.name: one.type for one in fields_of(cls)}
        if not isinstance(found, dict) or set(found) != set(wanted) or not isinstance(found["gone"], list):
            return None
        gone = tuple(found["gone"])
        texts = [*gone, *(found[name] for name in ("id", "target", "domain", "image", "base", "top"))]
        sound = all(isinstance(one, str) and one for one in texts) and found["top"] in gone
        numbers = isinstance(found["bandwidth"], int) and isinstance(found["chunked"], bool)
        return cls(**{**found, "gone": gone}) if sound and numbers else None


@frozen
class Kept:
    """The content of the element."""

    merges: tuple[Merge, ...] = ()
    thaw: bool = field(default=False)

    @classmethod
    def read(cls, root: tree.Element) -> Self:
        """Nothing for what cannot be understood."""
        found = root.find(f"metadata/{{{URI}}}{NAME}")
        try:
            told = json.loads("" if found is None else found.text or "")
        except ValueError:
            return cls()
        if not isinstance(told, dict) or not isinstance(told.get("merges"), list):
            return cls()
        merges = tuple(merge for one in told["merges"] if (merge := Merge.read(one)) is not None)
        return cls(merges, told.get("thaw") is True)

    @property
    def text(self) -> str | None:
        """The element as libvirt's call for metadata takes it; None when there is nothing to keep."""
        if not self.merges and not self.thaw:
            return None
        content = {"merges": [asdict(merge) for merge in self.merges], "thaw": self.thaw}
        return tree.one_line(tree.element(NAME, text=json.dumps(content, separators=(",", ":"))))


async def owe_thaw(machine: "Machine", owed: bool) -> None:
    await _write(machine, evolve(await read(machine), thaw=owed))


async def put(machine: "Machine", merge: Merge) -> None:
    known = await read(machine)
    await _write(machine, evolve(known, merges=(*(one for one in known.merges if one.id != merge.id), merge)))


async def drop(machine: "Machine", merge: Merge) -> None:
    known = await read(machine)
    await _write(machine, evolve(known, merges=tuple(one for one in known.merges if one.id != merge.id)))


async def read(machine: "Machine") -> Kept:
    await machine.document()
    return Kept.read(tree.parse(machine.record.xml))


async def wait_for_turn(machine: "Machine") -> None:
    """Comes back when nothing else is changed at the domain, writing what it has; `OperationTimedOut`."""
    await _write(machine, await read(machine))


async def _write(machine: "Machine", kept: Kept) -> None:
    await machine.means.domains.set_metadata(machine.id, kept.text, PREFIX, URI)
