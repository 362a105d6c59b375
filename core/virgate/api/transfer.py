"""Moving the bytes of a volume, for transports that can stream (spec xmlrpc-host-vm 1.7).

They are called as verbs are, `await api.call(READ, (place, length, sink), caller)`, and answer what verbs answer; no
client can name them. The member `uuid` is the id of the task, which is over by then.
"""

from typing import TYPE_CHECKING, Any

from virgate.api.verb import Family, Parameter, Reply, Verb
from virgate.node.storage.images.transfer import PIECE, Place, Sink, Source

if TYPE_CHECKING:
    from virgate.node.node import Node

__all__ = ["PIECE", "READ", "WRITE", "Place", "Sink", "Source"]


async def _read(node: "Node", place: Place, length: int, sink: Sink) -> Reply:
    return Reply({"uuid": await node.storage.transfers.send(place, length, sink)})


async def _write(node: "Node", place: Place, length: int, source: Source) -> Reply:
    return Reply({"uuid": await node.storage.transfers.receive(place, length, source)})


def _as_given(value: Any) -> Any:
    return value


def _parameters(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, _as_given, "", True) for name in names)


READ = Verb(
    "Image.read", "GET", Family.STORAGE, _parameters("place", "length", "sink"), "Send the bytes of a volume.", _read
)
WRITE = Verb(
    "Image.write", "PUT", Family.STORAGE, _parameters("place", "length", "source"), "Fill a volume with bytes.", _write
)
