"""The oldest lock, of shared domains of version 0 and 2: old ISO and export domains (spec storage-format 5.7).

A record at the beginning of `leases` names its owner and when he last renewed it; one who wants it watches it for two
minutes first if it is not free. This module stays small: it is imported whether or not any domain is that old.
"""

from virgate import hookimpl
from virgate.hookspecs.leases import LeaseManager


@hookimpl
def lease_manager(name: str) -> type[LeaseManager] | None:
    if name != "safelease":
        return None
    from virgate_plugins.leases.safelease.lease import SafeLease

    return SafeLease
