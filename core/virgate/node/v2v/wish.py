"""What a client asks of a conversion, checked before anything is done."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from attrs import frozen

from virgate.domxml.errors import MissingParameter
from virgate.errors import InvalidParameter
from virgate.ids import is_uuid
from virgate.node.v2v.errors import UnsupportedSource

FORMATS = {"raw": "raw", "cow": "qcow2", "qcow2": "qcow2"}
ALLOCATIONS = ("sparse", "preallocated")
COMPATS = ("0.10", "1.1")
SCHEMES = {"vpx": "vmware", "esx": "vmware", "xen+ssh": "xen"}
RUNS_PROGRAMS = frozenset({"command", "netcat"})
"""Parameters of a libvirt URI that name a program for this host to run."""


@frozen
class Volume:
    image: str
    volume: str


@frozen
class Wish:
    """Where the machine's disks go, and how they are laid out there."""

    name: str
    pool: str
    domain: str
    volumes: tuple[Volume, ...]
    format: str = "raw"
    allocation: str = "sparse"
    drivers: str = ""
    """Path of an ISO with Windows drivers."""
    compat: str = ""
    """Level of qcow2; empty: the converter's own."""

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Wish":
        """Raises `MissingParameter` (11) or `InvalidParameter` (1000)."""
        disks = given.get("disks")
        if not isinstance(disks, list | tuple) or not disks:
            raise MissingParameter.named("disks")
        wish = cls(
            name=_text(given, "vmName"),
            pool=_id(given, "poolID"),
            domain=_id(given, "domainID"),
            volumes=tuple(_volume(disk) for disk in disks),
            format=FORMATS.get(str(given.get("format") or "raw").lower(), ""),
            allocation=str(given.get("allocation") or "sparse").lower(),
            drivers=str(given.get("virtio_iso_path") or ""),
            compat=str(given.get("qcow2_compat") or ""),
        )
        for key, right in (
            ("format", wish.format),
            ("disks", len(set(wish.volumes)) == len(wish.volumes)),
            ("allocation", wish.allocation in ALLOCATIONS),
            ("qcow2_compat", wish.compat in ("", *COMPATS)),
            ("virtio_iso_path", not wish.drivers or wish.drivers.startswith("/")),
        ):
            if not right:
                raise InvalidParameter(key, given.get(key))
        return wish


def source_kind(uri: str) -> str:
    """vmware, xen or kvm; `UnsupportedSource` (44) for other places and for URIs that would run a program here."""
    try:
        parts = urlsplit(uri)
        wanted = set(parse_qs(parts.query, keep_blank_values=True))
    except ValueError:
        raise UnsupportedSource(shown(uri)) from None
    scheme = parts.scheme.lower()
    kind = "kvm" if scheme.startswith("qemu") else SCHEMES.get(scheme, "")
    if not kind or scheme.endswith("+ext") or wanted & RUNS_PROGRAMS or any(ord(one) < 33 for one in uri):
        raise UnsupportedSource(shown(uri))
    return kind


def shown(uri: str) -> str:
    """The URI for people: without a password that somebody put into it."""
    scheme, mark, rest = uri.partition("://")
    place, slash, path = rest.partition("/")
    user, at, host = place.rpartition("@")
    return f"{scheme}{mark}{user.partition(':')[0]}{at}{host}{slash}{path}"


def job_id(given: str) -> str:
    """It names files and becomes the id of the machine."""
    if not is_uuid(given):
        raise InvalidParameter("jobid", given)
    return given


def _volume(disk: object) -> Volume:
    if not isinstance(disk, Mapping):
        raise InvalidParameter("disks", disk)
    return Volume(_id(disk, "imageID"), _id(disk, "volumeID"))


def _text(given: Mapping[str, Any], key: str) -> str:
    """A name that is an argument of a program, and must not become an option of it."""
    value = given.get(key)
    if value in (None, ""):
        raise MissingParameter.named(key)
    if not isinstance(value, str) or value.startswith("-") or not value.isprintable():
        raise InvalidParameter(key, value)
    return value


def _id(given: Mapping[str, Any], key: str) -> str:
    value = given.get(key)
    if value in (None, ""):
        raise MissingParameter.named(key)
    if not is_uuid(value):
        raise InvalidParameter(key, value)
    return str(value)
