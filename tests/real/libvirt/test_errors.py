"""libvirt's errors become ours by their number."""

import libvirt
import pytest

from virgate.libvirt import errors
from virgate.libvirt.errors import translate


def problem(number, text="it said so", domain=libvirt.VIR_FROM_QEMU):
    made = libvirt.libvirtError("something failed")
    made.err = (number, domain, text, 2, None, None, None, -1, -1)
    return made


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        (libvirt.VIR_ERR_OPERATION_INVALID, errors.OperationInvalid),
        (libvirt.VIR_ERR_OPERATION_TIMEOUT, errors.OperationTimedOut),
        (libvirt.VIR_ERR_AGENT_UNRESPONSIVE, errors.AgentUnresponsive),
        (libvirt.VIR_ERR_XML_ERROR, errors.HypervisorFailed),
        (libvirt.VIR_ERR_INTERNAL_ERROR, errors.HypervisorFailed),
        (libvirt.VIR_ERR_RPC, errors.HypervisorFailed),
    ],
)
def test_an_error_of_a_whole_connection_keeps_number_and_text(number, wanted):
    made = translate(problem(number), "qemu:///system")
    assert type(made) is wanted
    assert (made.libvirt_code, made.detail, made.code) == (number, "it said so", 16)
    assert str(made) == "libvirt failed: it said so"


def test_a_missing_domain_is_named_by_what_was_asked_for():
    made = translate(problem(libvirt.VIR_ERR_NO_DOMAIN), "qemu:///system", "uuid-1")
    assert (type(made), made.uuid, made.code) == (errors.DomainNotFound, "uuid-1", 1)


@pytest.mark.parametrize("number", sorted(errors.BROKEN))
def test_a_broken_connection_is_away(number):
    made = translate(problem(number), "qemu:///system", alive=False)
    assert type(made) is errors.HypervisorAway
    assert str(made) == "No connection to libvirt (qemu:///system): it said so"


def test_an_answer_that_came_before_the_connection_broke_still_counts():
    made = translate(problem(libvirt.VIR_ERR_OPERATION_INVALID), "qemu:///system", alive=False)
    assert type(made) is errors.OperationInvalid


def test_an_error_of_the_binding_alone_has_a_number_all_the_same():
    libvirt.virResetLastError()  # it would say what this thread saw last, whoever caused it
    bare = libvirt.libvirtError("virDomainCreate() failed")
    bare.err = None
    made = translate(bare, "qemu:///system")
    assert (type(made), made.detail) == (errors.HypervisorFailed, "virDomainCreate() failed")
