"""Whether leases are there and are what they are called."""

from collections.abc import Iterator

from virgate.node.storage.checking.findings import Finding, error
from virgate.node.storage.formats import sanlock, xleases
from virgate.node.storage.formats.errors import UnreadableMetadata

RENEW = "with the domain in maintenance on every host, write the lease anew: `sanlock direct init`"


def examine_lease(place: str, record: bytes, space: str, name: str) -> Iterator[Finding]:
    """`record` is the first sector of a lease; an empty `name` means the lockspace."""
    try:
        leader = sanlock.Leader.decode(record)
    except UnreadableMetadata as problem:
        yield error(place, f"its lease cannot be read: {problem}", RENEW)
        return
    if leader.absent:
        yield error(place, "its lease was removed", RENEW)
    elif leader.space != space:
        yield error(place, f"its lease belongs to the lockspace {leader.space!r}", RENEW)
    elif name and leader.resource != name:
        yield error(place, f"its lease is called {leader.resource!r}", RENEW)


def examine_index(place: str, data: bytes, space: str) -> Iterator[Finding]:
    """The index of external leases."""
    try:
        index = xleases.Index.decode(data)
    except UnreadableMetadata as problem:
        yield error(place, str(problem), "rebuild the leases of the domain on the SPM")
        return
    if index.lockspace != space:
        yield error(place, f"it belongs to the lockspace {index.lockspace!r}", "rebuild the leases of the domain")
    for lease in index.leases():
        if lease.updating:
            yield error(
                f"{place}/{lease.name}", "a change of it did not end", "create or delete the lease again on the SPM"
            )
