"""Storage that hangs: its own domain suffers, the others go on."""

import os
import signal

import pytest_twisted
from contract.storage.room import BLANK, POOL, Room, uuid

from virgate.node.storage.manager import OPERATIONS
from virgate.run.helper import Helpers

DOMAIN, OTHER = uuid(2), uuid(2, 2)


@pytest_twisted.ensureDeferred
async def test_a_domain_that_hangs_becomes_invalid_while_the_others_serve(tmp_path):
    room = await Room(tmp_path, helpers=Helpers(OPERATIONS, heartbeat=0.2, patience=0.6)).start()
    try:
        await room.pool(domains=2)
        mount = str(room.storage.repository.mount_point(room.folder("dom2")))
        monitor = room.storage.monitors[OTHER]
        await monitor.check()
        os.kill(room.helpers[mount].pid, signal.SIGSTOP)
        check = monitor.check()
        await room.volume(1)
        assert (await room.ask("getVolumesList", DOMAIN, POOL, uuid(3)))["uuidlist"] == [uuid(4)]
        await check
        entries = await room.ask("repoStats")
        assert (entries[OTHER]["code"], entries[DOMAIN]["code"]) == (200, 0)
        await monitor.check()
        assert (await room.ask("repoStats"))[OTHER]["code"] == 0
    finally:
        await room.stop()


@pytest_twisted.ensureDeferred
async def test_a_place_that_hangs_is_left_out_when_domains_are_looked_for(tmp_path):
    room = await Room(tmp_path, helpers=Helpers(OPERATIONS, heartbeat=0.2, patience=0.6)).start()
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
