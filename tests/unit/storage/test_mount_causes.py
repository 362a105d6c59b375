"""What mount(8) and its helpers say, and what is made of it. The lines are those of Debian's programs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.storage.servers.mount_causes import Cause, cause_of, last_line


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("mount.nfs: Connection refused", Cause.REFUSED),
        ("mount.nfs: Connection timed out", Cause.NO_ANSWER),
        ("mount.nfs: No route to host", Cause.NO_ROUTE),
        ("mount.nfs: Network is unreachable", Cause.NO_ROUTE),
        ("mount.nfs: Failed to resolve server nas: Name or service not known", Cause.UNKNOWN_HOST),
        ("mount.nfs: Resource temporarily unavailable", Cause.UNKNOWN_HOST),
        ("mount.nfs: access denied by server while mounting nas:/exp", Cause.DENIED),
        ("mount.nfs: Operation not permitted", Cause.DENIED),
        ("mount.nfs: mounting nas:/x failed, reason given by server: No such file or directory", Cause.NO_EXPORT),
        ("mount.nfs: an incorrect mount option was specified", Cause.BAD_OPTIONS),
        ("mount.nfs: Protocol not supported", Cause.WRONG_VERSION),
        ("mount.nfs: requested NFS version or transport protocol is not supported", Cause.WRONG_VERSION),
        ("mount: /m: unknown filesystem type 'foofs'.", Cause.WRONG_TYPE),
        ("mount: /m: wrong fs type, bad option, bad superblock on /dev/loop0, missing codepage or helper program, or"
         " other error.", Cause.WRONG_TYPE),
        ("mount: /m: bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper"
         " program.", Cause.NO_HELPER),
        ("mount: /m: special device /dev/nothing does not exist.", Cause.NO_EXPORT),
        ("mount: /m: /dev/sda1 already mounted on /x.", Cause.BUSY),
        ("mount: something quite new", Cause.OTHER),
        ("", Cause.OTHER),
    ],
)  # fmt: skip
def test_the_cause_is_read_from_the_message(said, cause):
    assert cause_of(said) is cause


def test_a_mount_that_was_killed_had_no_answer_unless_it_said_something_better():
    assert cause_of("", timed_out=True) is Cause.NO_ANSWER
    assert cause_of("mount.nfs: mount(2): Connection refused", timed_out=True) is Cause.REFUSED


def test_every_cause_says_what_to_do():
    assert all(len(cause.value) > 20 for cause in Cause)


def test_one_line_is_shown():
    said = "\nmount: /m: bad option.\n       dmesg(1) may have more information after failed mount system call.\n"
    assert last_line(said) == "mount: /m: bad option."
    assert last_line("Mount failed.\x1b[0m Check the log\n") == "Mount failed.?[0m Check the log"
    assert last_line(" \n") == ""


@given(st.text())
def test_whatever_is_said_can_be_shown(said):
    assert isinstance(cause_of(said), Cause)
    shown = last_line(said)
    assert len(shown) <= 300 and (shown == "" or shown.isprintable())
