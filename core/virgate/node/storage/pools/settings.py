"""The `[spm]` settings."""

from attrs.validators import and_, ge, le

from virgate.config import option, section


@section("spm")
class SpmSettings:
    """Electing a storage pool manager where no client appoints one."""

    election_after: float = option(
        60.0, "Seconds that the hosts of a pool see no SPM before they contend for the role; 0: never.", ge(0)
    )
    election_spread: float = option(
        10.0, "Most seconds of random delay beyond that, so that not all hosts contend at once.", ge(0)
    )
    priority: int = option(
        5, "How soon this host contends, 10 before the others; 0: it never does.", and_(ge(0), le(10))
    )
