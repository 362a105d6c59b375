"""What a check found."""

from enum import Enum

from attrs import frozen


class Severity(Enum):
    """How bad it is."""

    ERROR = "error"
    """Data cannot be used or are in danger."""
    WARNING = "warning"
    """Works, and is not as it should be."""
    NOTE = "note"
    """Room or work left over that goes away by itself or does no harm."""


@frozen
class Finding:
    severity: Severity
    place: str
    """A path within the domain, or `image/volume`."""
    what: str
    mend: str
    """What the administrator can do; empty if there is nothing to do."""

    def told(self) -> dict[str, str]:
        return {"severity": self.severity.value, "place": self.place, "what": self.what, "mend": self.mend}


def error(place: str, what: str, mend: str = "") -> Finding:
    return Finding(Severity.ERROR, place, what, mend)


def warning(place: str, what: str, mend: str = "") -> Finding:
    return Finding(Severity.WARNING, place, what, mend)


def note(place: str, what: str, mend: str = "") -> Finding:
    return Finding(Severity.NOTE, place, what, mend)
