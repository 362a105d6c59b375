"""The `[iscsi]` settings."""

from attrs import define, field
from attrs.validators import ge, gt

from virgate.config import option, section


@section("iscsi")
class IscsiSettings:
    """Sessions with iSCSI targets. They take effect with the next login."""

    connect_timeout: float = option(5.0, "Seconds that a portal may take to accept a connection.", gt(0))
    login_timeout: int = option(10, "Seconds that one attempt to log in may take.", gt(0))
    login_attempts: int = option(2, "Attempts to log in before the connection counts as failed.", gt(0))
    replacement_timeout: int = option(
        0,
        "Seconds without the target after which reads and writes fail instead of waiting for it. 0: 5 where multipath"
        " runs, which has other paths to try; else 20, so that a short outage is not noticed by guests and a long one"
        " fails before the patience with a helper process (30) and the lease of a domain (80) are over.",
        ge(0),
    )

    def outage(self, multipath: bool) -> int:
        return self.replacement_timeout or (5 if multipath else 20)

    @property
    def patience(self) -> float:
        """Seconds within which iscsiadm must have come to an end by these settings."""
        return (self.login_timeout + 2.0) * self.login_attempts + 15


@define
class InForce:
    """What `settings_loaded` told last."""

    values: IscsiSettings = field(factory=IscsiSettings)


in_force = InForce()
