"""The `[mailbox]` settings."""

from attrs.validators import ge, gt, le

from virgate.config import option, section


@section("mailbox")
class MailboxSettings:
    """How hosts ask the SPM for larger volumes through storage."""

    interval: float = option(2.0, "Seconds between two looks of the SPM at all mailboxes.", gt(0))
    events: bool = option(True, "Whether hosts ring for the SPM, so that it looks at once.")
    events_interval: float = option(
        0.5, "Seconds between two looks of the SPM for a ring, and of a host for the reply it waits for.", gt(0)
    )
    hosts: int = option(
        250, "Mailboxes that the SPM reads where `spmStart` does not say; hosts have ids below it.", ge(2), le(2001)
    )
    patience: float = option(60.0, "Seconds a host waits for the SPM's reply before it gives up.", gt(0))
