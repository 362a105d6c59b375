"""Holding the lease of a domain for a moment, to change what other hosts must not change meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from virgate.node.storage.domains.domain import Domain


@asynccontextmanager
async def guarded(domain: Domain, host: int) -> AsyncIterator[None]:
    """A lease or host id that was held before stays held afterwards."""
    joined, held = domain.lease.joined, domain.lease.held
    if joined is None:
        await domain.lease.join(host)
    try:
        if not held:
            await domain.lease.acquire()
        try:
            yield
        finally:
            if not held:
                await domain.lease.release()
    finally:
        if joined is None:
            await domain.lease.leave()
