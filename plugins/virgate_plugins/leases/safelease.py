"""The lock of shared domains of version 0 and 2: a tag in `leases` that its owner renews (spec storage-format 5.7).

Whoever wants it watches a tag that does not change for a minute longer than its owner may go without renewing it; then
that owner is gone. A host whose renewals do not reach storage gives the lock up when its own time is over, so before.
"""

from virgate import hookimpl
from virgate.hookspecs.leases import LeaseManager


@hookimpl
def lease_manager(name: str) -> type[LeaseManager] | None:
    if name != "safelease":
        return None
    from virgate_plugins.leases.safelease_lock import SafeLease

    return SafeLease
