"""What other rooms tell for the host's statistics; the host asks, it does not look into them."""

from attrs import frozen

OVERHEAD_MIB = 65
RESERVED_MIB = 256


@frozen
class MachinesReport:
    """All machines together. Sizes are MiB."""

    count: int = 0
    active: int = 0
    incoming: int = 0
    outgoing: int = 0
    committed: int = 0
    """What machines were promised, each with its overhead."""
    resident: int = 0
    """What they occupy."""
