"""The lock of a domain that one host sees."""

import os

import pytest
import pytest_twisted

from virgate.errors import VirgateError
from virgate.hookspecs.leases import LeaseSpace
from virgate_plugins.leases.local import LocalLease

DOMAIN = "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e2001"


@pytest_twisted.ensureDeferred
async def test_a_pipe_in_the_place_of_the_file_does_not_hold_up_the_daemon(tmp_path):
    os.mkfifo(tmp_path / "ids")
    lease = LocalLease(LeaseSpace(DOMAIN, tmp_path / "ids", tmp_path / "leases"))
    await lease.join(1)
    await lease.acquire()  # opening a pipe to read waits for a writer, for ever
    await lease.release()


@pytest_twisted.ensureDeferred
async def test_a_link_is_not_followed_to_lock_a_file_of_the_host(tmp_path):
    (tmp_path / "file-of-the-host").touch()
    (tmp_path / "ids").symlink_to(tmp_path / "file-of-the-host")
    lease = LocalLease(LeaseSpace(DOMAIN, tmp_path / "ids", tmp_path / "leases"))
    await lease.join(1)
    with pytest.raises(VirgateError) as refused:
        await lease.acquire()
    assert (refused.value.code, lease.held) == (651, False)
