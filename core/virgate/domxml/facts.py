"""What a document must know about the host, the disks' paths and the leases. Values handed in by the caller."""

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from virgate.domxml.offers import Offers

FORMATS = {"raw": "raw", "cow": "qcow2", "qcow2": "qcow2"}
"""Volume formats as storage and clients say them, and as libvirt does."""

DUMMY_BRIDGE = ";vdsmdummy;"
"""Where nics hang that are in no network."""


@frozen
class NodeDevice:
    """A host device that can be given away: its kind and the attributes of its `<address>` in a `<hostdev>`."""

    capability: Literal["pci", "usb", "scsi"]
    address: Mapping[str, str]
    adapter: str = ""  # scsi only: "scsi_host3"


@frozen
class HostFacts:
    """The host as far as domain documents name it."""

    arch: str = "x86_64"
    virt_type: str = "kvm"
    os_version: str = ""
    """Version and release, "12-1"."""
    host_uuid: str = ""
    os_name: str = "oVirt Node"
    emulator: str | None = None
    """None: libvirt's own choice."""
    channels: str = "/var/lib/libvirt/qemu/channels"
    """Folder of the guest agents' sockets."""
    console_sockets: str = "/var/run/ovirt-vmconsole-console"
    drive_cache: str = "none"
    volume_leases: bool = False
    spice_tls: bool = False
    """Whether QEMU has certificates for SPICE; without them libvirt refuses a TLS port."""
    dummy_bridge: str = DUMMY_BRIDGE
    node_devices: Mapping[str, NodeDevice] = field(factory=dict)
    offers: Mapping[str, Offers] = field(factory=dict)
    """By machine type; "" has the emulator's own choice. What is not there is not known."""

    @property
    def is_x86(self) -> bool:
        return self.arch in ("x86_64", "i686")

    @property
    def is_power(self) -> bool:
        return self.arch.startswith("ppc64")


@frozen
class DiskSource:
    """Where one disk is found, once storage has prepared it."""

    path: str
    """File, device, or for `network` the name the protocol knows."""
    format: str = "raw"
    kind: Literal["file", "block", "network"] = "file"
    chain: tuple[Mapping[str, Any], ...] = ()
    """Volumes from base to leaf: domainID, imageID, volumeID and, with leases leasePath and leaseOffset."""
    info: Mapping[str, Any] = field(factory=dict)
    """For `network`: protocol and hosts."""


@frozen
class LeaseSource:
    """Where a lease is found: a file or device and an offset in it."""

    path: str
    offset: int = 0


Sources = Mapping[str, DiskSource]
"""By target name."""
Leases = Mapping[tuple[str, str], LeaseSource]
"""By lease id and storage domain."""


@frozen
class DiskRequest:
    """A disk to be prepared before the document can be built. Empty texts were not given."""

    target: str
    device: str = "disk"
    format: str = "raw"
    pool_id: str = ""
    domain_id: str = ""
    image_id: str = ""
    volume_id: str = ""
    guid: str = ""
    uuid: str = ""
    path: str = ""
    disk_type: str = ""
    read_only: bool = False
    shared: str = "none"

    @property
    def is_image(self) -> bool:
        """Whether storage knows it by pool, domain, image and volume."""
        return bool(self.domain_id and self.image_id and self.volume_id)

    @property
    def is_empty(self) -> bool:
        """A drive without a medium."""
        return not (self.is_image or self.guid or self.uuid or self.path)


@frozen
class PayloadRequest:
    """Files that the guest finds on a drive of its own."""

    target: str
    kind: Literal["cdrom", "floppy"]
    label: str
    files: Mapping[str, bytes]
    image: bytes = field(default=b"", repr=False)
    """The whole drive as another host made it; then the files are not looked at."""


@frozen
class LeaseRequest:
    """A lease to be found before the document can be built."""

    lease_id: str
    domain_id: str
