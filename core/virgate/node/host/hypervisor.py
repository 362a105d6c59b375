"""What libvirt says about the host: its documents, read once per connection, and what is to be found in them."""

from typing import Any, Protocol

from attrs import frozen
from lxml import etree
from twisted.logger import Logger

from virgate.errors import VirgateError

log = Logger()
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


class Hypervisor(Protocol):
    """The part of `virgate.libvirt.connection.Hypervisor` that is needed here."""

    async def call(self, function: Any) -> Any: ...


@frozen
class Documents:
    """`capabilities` and `domain` (the domain capabilities of one virtualization type) as libvirt writes them."""

    capabilities: str = "<capabilities/>"
    domain: str = "<domainCapabilities/>"


async def read_documents(hypervisor: Hypervisor, arch: str, virt_type: str) -> Documents:
    """Raises what the connection raises when there is none. Not every driver tells what its guests could have."""
    capabilities = await hypervisor.call(lambda connection: connection.getCapabilities())
    try:
        domain = await hypervisor.call(
            lambda connection: connection.getDomainCapabilities(None, arch, None, virt_type, 0)
        )
    except VirgateError as problem:
        log.warn("libvirt does not tell which CPU models guests can have: {reason}", reason=str(problem))
        return Documents(capabilities)
    return Documents(capabilities, domain)


def machine_types(documents: Documents, arch: str) -> list[str]:
    """Emulated machines with their canonical names, sorted."""
    found: set[str] = set()
    for machine in _root(documents.capabilities).iterfind(f"guest/arch[@name='{arch}']//machine"):
        found.update(name for name in (machine.text, machine.get("canonical")) if name)
    return sorted(found)


def cpu_models(documents: Documents) -> list[str]:
    """The models this host can give to a guest, sorted."""
    models = _root(documents.domain).iterfind("cpu/mode[@name='custom']/model[@usable='yes']")
    return sorted(model.text for model in models if model.text)


def _root(text: str) -> Any:
    return etree.fromstring(text.encode(), _PARSER)
