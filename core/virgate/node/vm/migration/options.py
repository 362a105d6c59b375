"""What libvirt is asked for: flags and parameters of migrateToURI3 (spec migration 5.4, 5.5). Pure.

The numbers are those of libvirt's public header; a test of the room `virgate.libvirt` holds them against it.
"""

from typing import Any

from virgate.node.vm.migration import addresses
from virgate.node.vm.migration.order import Order

LIVE, PEER2PEER, TUNNELLED, PERSIST_DEST = 1, 2, 4, 8
UNSAFE, COMPRESSED, ABORT_ON_ERROR, AUTO_CONVERGE = 512, 2048, 4096, 8192
POSTCOPY, TLS, PARALLEL, ZEROCOPY = 32768, 65536, 131072, 1048576
PERSISTENT_SINCE = (4, 2)
"""The cluster version whose hosts keep the definition of an arriving machine."""


def version(given: Any) -> tuple[int, ...]:
    """A cluster version as numbers; empty when it is unknown."""
    try:
        return tuple(int(part) for part in str(given or "").split("."))
    except ValueError:
        return ()


def flags(order: Order, cluster: tuple[int, ...] = (), *, postcopy: bool = False, trust_storage: bool = False) -> int:
    """`postcopy`: the schedule may come to it."""
    wanted = {
        TUNNELLED: order.tunneled,
        PERSIST_DEST: cluster >= PERSISTENT_SINCE,
        UNSAFE: trust_storage,
        COMPRESSED: order.compressed,
        ABORT_ON_ERROR: order.abort_on_error,
        AUTO_CONVERGE: order.auto_converge,
        POSTCOPY: postcopy,
        TLS: order.encrypted,
        PARALLEL: order.parallel is not None,
        ZEROCOPY: order.zerocopy,
    }
    return LIVE | PEER2PEER | sum(bit for bit, is_wanted in wanted.items() if is_wanted)


def parameters(order: Order, bandwidth: int, document: str, screens: frozenset[str] = frozenset()) -> dict[str, Any]:
    """`bandwidth`: MiB/s of the settings; `screens`: kinds of the machine's screens."""
    asked: dict[str, Any] = {"destination_xml": document}
    if rate := order.bandwidth or bandwidth:
        asked["bandwidth"] = rate
    if not order.tunneled:
        asked["migrate_uri"] = addresses.data_uri(order.data)
    if order.parallel is not None:
        asked["parallel.connections"] = order.parallel
    if order.console and screens:
        asked["graphics_uri"] = f"{'spice' if 'spice' in screens else 'vnc'}://{order.console}"
    if order.encrypted:
        asked["tls.destination"] = order.destination.host
    return asked
