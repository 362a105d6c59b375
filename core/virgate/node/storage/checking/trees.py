"""Whether the tree of a file domain has what belongs there and nothing else (spec storage-format 1.3, 1.4)."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from attrs import frozen

from virgate.ids import is_uuid
from virgate.node.storage.checking.findings import Finding, error, note, warning
from virgate.node.storage.formats.layout import MAILBOX_FILE
from virgate.node.storage.formats.removal import REMOVED
from virgate.node.storage.values import ISO_IMAGE

ENDINGS = ("", ".meta", ".lease")
SPM_CLEANS = "the next start of the SPM removes it"


@frozen
class Entry:
    """One file or folder below the domain, seen without following links."""

    path: str
    kind: str
    """`file`, `folder`, `link` or `other`."""
    size: int
    mode: int


@frozen
class Shape:
    """What a domain of this version and these leases should look like."""

    version: int
    alignment: int
    shared: bool
    """Guarded by leases that lie on the domain."""


def examine(entries: Sequence[Entry], shape: Shape) -> Iterator[Finding]:
    """Everything of the domain but what `master` holds."""
    found = {entry.path: entry for entry in entries}
    yield from _special(found, shape)
    for entry in entries:
        if entry.kind == "link" and entry.path.startswith(("dom_md/", "images/")):
            yield error(
                entry.path, "it is a symbolic link, which no host makes here", "find out who made it; remove it"
            )
    names = {path: PurePosixPath(path).parts for path in found}
    for path, parts in names.items():
        if parts[0] == "images" and len(parts) in (2, 3) and parts[1] != ISO_IMAGE:
            yield from _image(found, path, parts, shape)


def _special(found: dict[str, Entry], shape: Shape) -> Iterator[Finding]:
    least = {"ids": 0, "leases": 0, "inbox": MAILBOX_FILE, "outbox": MAILBOX_FILE}
    if shape.shared:
        least |= {"ids": shape.alignment, "leases": 2 * shape.alignment}
        if shape.version >= 4:
            least["xleases"] = shape.alignment
    for name, size in least.items():
        entry = found.get(f"dom_md/{name}")
        if entry is None:
            yield error(f"dom_md/{name}", "it is missing", "detach the domain and attach it again, or restore the file")
        elif entry.size < size:
            yield error(entry.path, f"it has {entry.size} bytes and needs {size}", "restore the file")
        elif entry.mode & 0o660 != 0o660:
            yield warning(entry.path, f"its mode is {entry.mode:04o}", f"chmod 0660 dom_md/{name}")


def _image(found: dict[str, Entry], path: str, parts: tuple[str, ...], shape: Shape) -> Iterator[Finding]:
    name = parts[-1]
    if any(part.startswith(REMOVED) for part in parts):
        if name.startswith(REMOVED):
            yield note(path, "a deletion did not end", SPM_CLEANS)
        return
    if len(parts) == 2:
        if not is_uuid(name):
            yield note(path, "it is no image", "remove it if nobody needs it")
        return
    volume, ending = name.partition(".")[0], name[len(name.partition(".")[0]) :]
    if not is_uuid(volume) or ending not in ENDINGS:
        yield note(path, "it belongs to no volume", "remove it if nobody needs it")
        return
    base = "/".join((*parts[:-1], volume))
    if f"{base}.meta" not in found and not ending:
        yield warning(path, "it has no metadata: a creation did not end", "delete the file if no task is running")
    if ending == ".lease" and base not in found and f"{base}.meta" not in found:
        yield note(path, "it is the lease of a volume that is gone", "remove it")
    if ending == ".meta" and shape.shared and shape.version >= 3 and f"{base}.lease" not in found:
        yield error(base, "it has no lease", "with no machine running from it, write one: `sanlock direct init`")
