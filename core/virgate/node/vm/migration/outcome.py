"""How a move that failed is told: code and message of the old API (spec migration 5.6, 10)."""

from twisted.internet.defer import CancelledError

from virgate.errors import VirgateError
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm.migration.errors import (
    Canceled,
    MigrationFailed,
    MigrationFault,
    PeerRefused,
    StreamFailed,
)


def outcome(failure: BaseException) -> tuple[int, str]:
    from virgate.libvirt import moving

    if isinstance(failure, PeerRefused):
        return failure.answer, failure.message
    told: VirgateError
    if isinstance(failure, CancelledError | Canceled):
        told = Canceled()
    elif isinstance(failure, MigrationFault):
        told = failure
    elif isinstance(failure, HypervisorFailed) and moving.is_abort(failure):
        told = Canceled()
    elif isinstance(failure, HypervisorFailed) and moving.is_failure(failure):
        told = StreamFailed(failure.detail)
    else:
        told = MigrationFailed(str(failure) or type(failure).__name__)
    return told.code, str(told)
