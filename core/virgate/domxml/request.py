"""A machine that somebody asks for: from the parameters of `create` to a value that becomes a libvirt document.

Two forms of parameters, one value. The list form (and its legacy keys) is checked by `parameters`, the document form
by `document`. What no host could make right is refused here; what only fails when the machine starts is raised by
`MachineRequest.domain`, as clients of the family expect (spec xmlrpc-host-vm 2.2, 3.1).
"""

from collections.abc import Container, Mapping
from typing import Any

from attrs import field, frozen

from virgate.domxml import cpu, document, domain, drives, fitting, parameters
from virgate.domxml.facts import (
    DiskRequest,
    DiskSource,
    HostFacts,
    LeaseRequest,
    Leases,
    LeaseSource,
    NodeDevice,
    PayloadRequest,
    Sources,
)
from virgate.domxml.tree import Element
from virgate.domxml.values import Conf, integer
from virgate.units import Size

__all__ = [
    "DiskRequest",
    "DiskSource",
    "HostFacts",
    "LeaseRequest",
    "LeaseSource",
    "MachineRequest",
    "NodeDevice",
    "PayloadRequest",
    "read_request",
]


@frozen
class MachineRequest:
    """A checked request. `domain` may be called again with other sources; it changes nothing here."""

    id: str
    name: str
    memory: Size
    custom: dict[str, str]
    launch_paused: bool
    acpi: bool
    conf: Conf
    """What `list full` echoes: the given keys, defaults, and all devices with their targets."""
    xml_form: bool
    disks: tuple[DiskRequest, ...]
    payloads: tuple[PayloadRequest, ...]
    leases: tuple[LeaseRequest, ...] = ()
    facts: HostFacts = field(factory=HostFacts, repr=False)
    notices: tuple[str, ...] = ()
    """What the host gives otherwise than it was asked for."""
    document: Element | None = field(default=None, repr=False, eq=False)
    """The document of the client, in the xml form."""

    @property
    def cpu_shares(self) -> int | None:
        """The weight to set once the machine runs; None leaves the host's default."""
        return cpu.shares(self.conf)

    def domain(self, sources: Sources, leases: Leases | None = None) -> Element:
        """The document for libvirt. Disks without a source use the path that the client gave.

        Raises `BadDevice` for a machine that cannot start.
        """
        if self.document is not None:
            return document.finish(self.document, self.conf, self.facts, sources, leases or {})
        return domain.assemble(self.conf, self.facts, sources, leases or {})


def read_request(params: Mapping[str, Any], facts: HostFacts, taken: Container[str]) -> MachineRequest:
    """The request in `params` of `create`. `taken` has the ids of machines that exist."""
    if params.get("xml"):
        return _from_document(params, facts, taken)
    parameters.check(params, taken)
    conf = parameters.complete(params, facts)
    notices = fitting.fit_list(conf, facts)
    disks, payloads = drives.requests(parameters.disks_of(conf))
    payloads += parameters.sysprep(params, conf)
    filled = {payload.target for payload in payloads}
    return MachineRequest(
        id=conf["vmId"],
        name=conf["vmName"],
        memory=Size.mib(integer(conf, "memSize")),
        custom=conf["custom"],
        launch_paused="launchPaused" in conf,
        acpi=parameters.is_acpi(conf),
        conf=conf,
        xml_form=False,
        disks=tuple(disk for disk in disks if disk.target not in filled),
        payloads=payloads,
        leases=parameters.leases_of(conf),
        facts=facts,
        notices=notices,
    )


def _from_document(params: Mapping[str, Any], facts: HostFacts, taken: Container[str]) -> MachineRequest:
    found = document.read(params, facts, taken)
    return MachineRequest(
        id=found.conf["vmId"],
        name=found.conf["vmName"],
        memory=found.memory,
        custom=found.conf["custom"],
        launch_paused=found.launch_paused,
        acpi=found.acpi,
        conf=found.conf,
        xml_form=True,
        disks=found.disks,
        payloads=found.payloads,
        leases=found.leases,
        facts=facts,
        notices=found.notices,
        document=found.root,
    )
