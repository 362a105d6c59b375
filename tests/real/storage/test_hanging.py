"""Storage that hangs: its own domain suffers, the others go on."""

import os
import signal
import time

import pytest_twisted
from contract.storage.room import BLANK, POOL, Room, uuid
from twisted.internet.defer import Deferred

from virgate.node.storage.domains.probing import PROVEN, SOON
from virgate.run.helper import Helpers

DOMAIN, OTHER = uuid(2), uuid(2, 2)


@pytest_twisted.async_yield_fixture
async def room(tmp_path):
    """Three domains in a pool, and helpers that are given up soon."""
    made = Room(tmp_path, helpers=Helpers("contract.storage.hanging", heartbeat=0.2, patience=3.0))
    made.storage.monitors.probes.patience = 3.0
    await made.start()
    await made.pool(domains=3)
    yield made
    await made.stop()


class Hung:
    """A domain that gives no answer: whoever looks at it waits in the kernel."""

    def __init__(self, room, number):
        self.pipe = room.base / f"dom{number}" / uuid(2, number) / "dom_md" / "hang"
        os.mkfifo(self.pipe)

    def recovers(self):
        self.pipe.unlink()


@pytest_twisted.ensureDeferred
async def test_a_domain_that_hangs_becomes_invalid_while_the_others_serve(room):
    told = []
    room.events.listen("storage.domain", lambda domain, valid, code: told.append((domain, valid, code)))
    hung = Hung(room, 2)
    began = time.monotonic()
    check = Deferred.fromCoroutine(room.storage.monitors[OTHER].check())
    await room.storage.monitors[DOMAIN].check()
    await room.volume(1)
    assert (await room.ask("getVolumesList", DOMAIN, POOL, uuid(3)))["uuidlist"] == [uuid(4)]
    entries = await room.ask("repoStats")
    assert entries[DOMAIN]["valid"] and not check.called
    await check
    assert time.monotonic() - began < 3.0 + SOON + 1
    entries = await room.ask("repoStats")
    assert (entries[OTHER]["code"], entries[OTHER]["valid"], entries[DOMAIN]["code"]) == (200, False, 0)
    assert told[-1] == (OTHER, False, 200)
    hung.recovers()
    await room.storage.monitors[OTHER].check()
    assert (await room.ask("repoStats"))[OTHER]["code"] == 0


@pytest_twisted.ensureDeferred
async def test_domains_are_looked_at_by_one_process_and_only_those_that_hung_by_their_own(room):
    hung = Hung(room, 2)
    await room.storage.monitors[OTHER].check()
    assert room.helpers[f"{DOMAIN}#monitor"].pid is None
    hung.recovers()
    for _ in range(PROVEN):
        await room.storage.monitors[OTHER].check()
    alone = room.helpers[f"{OTHER}#monitor"]
    assert alone.pid is not None
    await alone.stop()  # it is not needed any more
    await room.storage.monitors[OTHER].check()
    assert room.storage.monitors[OTHER].valid


@pytest_twisted.ensureDeferred
async def test_looks_do_not_wait_behind_long_work(room, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    mount = str(room.storage.repository.mount_point(room.folder("dom1")))
    long = room.helpers[mount].call("wait_for", str(tmp_path / "fifo"), timeout=60)
    await room.storage.monitors[DOMAIN].check()
    assert room.storage.monitors[DOMAIN].valid and not long.called
    long.addErrback(lambda failure: None)
    os.close(os.open(tmp_path / "fifo", os.O_WRONLY))
    await long


@pytest_twisted.ensureDeferred
async def test_a_place_that_hangs_is_left_out_when_domains_are_looked_for(tmp_path):
    room = await Room(tmp_path, helpers=Helpers("contract.storage.hanging", heartbeat=0.2, patience=0.6)).start()
    try:
        await room.domain(1)
        await room.domain(2)
        mount = str(room.storage.repository.mount_point(room.folder("dom2")))
        await room.ask("getStorageDomainsList", BLANK)
        os.kill(room.helpers[mount].pid, signal.SIGSTOP)
        assert DOMAIN in (await room.ask("getStorageDomainsList", BLANK))["domlist"]
        assert (await room.ask("getStorageDomainsList", BLANK))["domlist"] == [DOMAIN, OTHER]
    finally:
        await room.stop()
