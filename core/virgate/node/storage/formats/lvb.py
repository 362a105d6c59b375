"""The value block of a lease: which storage job holds it, in 512 bytes of JSON (spec storage-format 5.5)."""

import json
from enum import Enum
from typing import Any

from attrs import evolve, frozen

from virgate.node.storage.formats.errors import (
    InvalidMetadata,
    MetadataKeyMissing,
    MetadataOverflow,
    UnreadableMetadata,
)
from virgate.node.storage.formats.volume_metadata import MAX_GENERATION

SIZE = 512
JOB = "JOB"


class JobStatus(Enum):
    PENDING = "PENDING"
    FAILED = "FAILED"
    SUCCEEDED = "SUCCEEDED"
    FENCED = "FENCED"


@frozen(kw_only=True)
class JobLease:
    """A job and how far it came. Times are seconds since the epoch."""

    job: str
    status: JobStatus
    host: str
    """Hardware id of the host that wrote last."""
    created: int
    modified: int
    generation: int = 0

    def fenced(self, host: str, now: int) -> "JobLease":
        """What a host writes that took the lease from a job which must not go on."""
        return self._over(JobStatus.FENCED, host, now)

    def ended(self, host: str, now: int, *, well: bool) -> "JobLease":
        """What the host writes that did the job. One that failed is of the generation it was, as its volume is."""
        if well:
            return self._over(JobStatus.SUCCEEDED, host, now)
        return evolve(self, status=JobStatus.FAILED, modified=now, host=host)

    def _over(self, status: JobStatus, host: str, now: int) -> "JobLease":
        following = (self.generation + 1) % (MAX_GENERATION + 1)
        return evolve(self, status=status, generation=following, modified=now, host=host)


def encode(lease: JobLease) -> bytes:
    text = json.dumps(
        {
            "type": JOB,
            "generation": lease.generation,
            "job_id": lease.job,
            "job_status": lease.status.value,
            "created": lease.created,
            "modified": lease.modified,
            "host_hardware_id": lease.host,
        }
    )
    data = text.encode()
    if len(data) > SIZE:
        raise MetadataOverflow(len(data), SIZE)
    return data.ljust(SIZE, b"\0")


def decode(data: bytes) -> JobLease | None:
    """None for a block that was never written."""
    text = data.rstrip(b"\0")
    try:
        values = json.loads(text) if text else {}
    except ValueError as problem:
        raise UnreadableMetadata(f"lease value block: {problem}") from None
    if values == {}:
        return None
    if not isinstance(values, dict) or values.get("type") != JOB:
        raise UnreadableMetadata("lease value block of another kind")
    return JobLease(
        job=_typed(values, "job_id", str),
        status=_status(values),
        host=_typed(values, "host_hardware_id", str),
        created=_typed(values, "created", int),
        modified=_typed(values, "modified", int),
        generation=_typed(values, "generation", int),
    )


def _typed(values: dict[str, Any], key: str, kind: type) -> Any:
    if key not in values:
        raise MetadataKeyMissing(key)
    if not isinstance(values[key], kind):
        raise InvalidMetadata(key, str(values[key]))
    return values[key]


def _status(values: dict[str, Any]) -> JobStatus:
    word = _typed(values, "job_status", str)
    try:
        return JobStatus(word)
    except ValueError:
        raise InvalidMetadata("job_status", word) from None
