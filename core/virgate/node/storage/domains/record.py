"""The metadata of a domain with their meaning (spec storage-format 3.2 to 3.5). Pure.

The dictionary is shared by domain keys and pool keys, and keys nobody here knows belong to it as well: a change is
always made to the dictionary as it was read.
"""

from collections.abc import Mapping

from attrs import frozen

from virgate.hookspecs.leases import LeaseParameters
from virgate.node.storage.errors import UnsupportedVersion
from virgate.node.storage.formats import domain_metadata
from virgate.node.storage.formats.errors import InvalidMetadata, MetadataKeyMissing
from virgate.node.storage.formats.volume_metadata import BLANK_UUID
from virgate.node.storage.values import VERSIONS, Class, Status

MASTER = "Master"
REGULAR = "Regular"
NONE = -1
"""An SPM id or version that is not there."""


@frozen
class DomainRecord:
    """One reading of a domain's metadata."""

    values: Mapping[str, str]

    @classmethod
    def decoded(cls, data: bytes) -> "DomainRecord":
        """Raises SealBroken (752) or MetadataKeyMissing (751) for a file that was cut or tampered with."""
        return cls.of(domain_metadata.decode(data))

    @classmethod
    def of(cls, values: Mapping[str, str]) -> "DomainRecord":
        """Unsealed keys, wherever they were read."""
        record = cls(values)
        for key in ("VERSION", "SDUUID", "TYPE", "CLASS"):
            record._text(key)
        if record.version not in VERSIONS:
            raise UnsupportedVersion(record.version)
        _ = record.domain_class
        return record

    def encoded(self) -> bytes:
        return domain_metadata.encode(self.values)

    def changed(self, changes: Mapping[str, object]) -> "DomainRecord":
        """With these keys written; None drops a key."""
        values = {key: value for key, value in self.values.items() if key not in changes}
        return DomainRecord({**values, **{key: str(value) for key, value in changes.items() if value is not None}})

    @property
    def id(self) -> str:
        return self._text("SDUUID")

    @property
    def version(self) -> int:
        return self._number("VERSION")

    @property
    def type(self) -> str:
        return self._text("TYPE")

    @property
    def domain_class(self) -> Class:
        try:
            return Class[self._text("CLASS")]
        except KeyError:
            raise InvalidMetadata("CLASS", self._text("CLASS")) from None

    @property
    def name(self) -> str:
        return self.values.get("DESCRIPTION", "")

    @property
    def is_master(self) -> bool:
        return self.values.get("ROLE", "").capitalize() == MASTER

    @property
    def role(self) -> str:
        return MASTER if self.is_master else REGULAR

    @property
    def pools(self) -> tuple[str, ...]:
        found = (pool.strip() for pool in self.values.get("POOL_UUID", "").split(","))
        return tuple(pool for pool in found if pool and pool != BLANK_UUID)

    @property
    def remote(self) -> str:
        return self.values.get("REMOTE_PATH", "")

    @property
    def block_size(self) -> int:
        return self._number("BLOCK_SIZE", 512)

    @property
    def alignment(self) -> int:
        return self._number("ALIGNMENT", 1 << 20)

    @property
    def lease_parameters(self) -> LeaseParameters:
        keys = ("LOCKRENEWALINTERVALSEC", "LEASETIMESEC", "IOOPTIMEOUTSEC", "LEASERETRIES")
        defaults = (5, 60, 10, 3)
        return LeaseParameters(*(self._number(key, default) for key, default in zip(keys, defaults, strict=True)))

    # what a master keeps for its pool

    @property
    def pool_name(self) -> str:
        return self.values.get("POOL_DESCRIPTION", "")

    @property
    def master_version(self) -> int:
        return self._number("MASTER_VERSION", 0)

    @property
    def spm_version(self) -> int:
        return self._number("POOL_SPM_LVER", NONE)

    @property
    def spm_id(self) -> int:
        return self._number("POOL_SPM_ID", NONE)

    @property
    def pool_domains(self) -> dict[str, Status]:
        """The pool's domains in stored order; a status nobody knows reads as Unknown."""
        found = {}
        for entry in self.values.get("POOL_DOMAINS", "").replace("'", "").split(","):
            domain, colon, status = entry.strip().partition(":")
            if colon:
                found[domain] = Status.read(status) if status.capitalize() in _STATUSES else Status.UNKNOWN
        return found

    def _text(self, key: str) -> str:
        try:
            return self.values[key]
        except KeyError:
            raise MetadataKeyMissing(key) from None

    def _number(self, key: str, default: int | None = None) -> int:
        """An optional number that cannot be read counts as its default, as the reference does."""
        text = self._text(key) if default is None else self.values.get(key, str(default))
        try:
            return int(text)
        except ValueError:
            if default is None:
                raise InvalidMetadata(key, text) from None
            return default


_STATUSES = {*(status.value for status in Status), "Inactive"}


def written_domains(domains: Mapping[str, Status]) -> str:
    """The value of POOL_DOMAINS."""
    return ",".join(f"{domain}:{status.value}" for domain, status in domains.items())


def written_lease(parameters: LeaseParameters) -> dict[str, object]:
    return {
        "LOCKRENEWALINTERVALSEC": parameters.renewal_interval,
        "LEASETIMESEC": parameters.lease,
        "IOOPTIMEOUTSEC": parameters.io_timeout,
        "LEASERETRIES": parameters.retries,
    }


def new_record(
    domain: str,
    name: str,
    type: str,
    domain_class: Class,
    version: int,
    remote: str,
    block_size: int = 512,
    alignment: int = 1 << 20,
) -> DomainRecord:
    """What a file domain just made says of itself: in no pool, regular, default times."""
    values: dict[str, object] = {
        "VERSION": version,
        "SDUUID": domain,
        "TYPE": type,
        "CLASS": domain_class.name,
        "DESCRIPTION": name,
        "ROLE": REGULAR,
        "POOL_UUID": "",
        "LOCKPOLICY": "",
        "REMOTE_PATH": remote,
        **written_lease(LeaseParameters()),
    }
    if version >= 5:
        values |= {"BLOCK_SIZE": block_size, "ALIGNMENT": alignment}
    return DomainRecord({key: str(value) for key, value in values.items()})
