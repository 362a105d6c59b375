"""Volumes of a block domain served, filled from outside and reduced: real LVM, loop devices for logical volumes."""

import tempfile
from pathlib import Path

import pytest
import pytest_twisted
from contract.storage.room import POOL, uuid
from lab.process import run
from real.storage.test_block_images import COW, EXTENT, IMG, RAW, house
from twisted.internet.threads import deferToThread

__all__ = ["house"]
SERVER, IDS = uuid(8), (POOL, uuid(2), IMG)


@pytest.fixture
def served(house):
    """Sockets in a folder with a short name."""
    with tempfile.TemporaryDirectory() as short:
        house.room.storage.nbd.folder = Path(short) / "nbd"
        yield house


def config(number, **others):
    return {"sd_id": uuid(2), "img_id": IMG, "vol_id": uuid(4, number), **others}


async def io(url, *commands):
    words = [word for command in commands for word in ("-c", command)]
    told = await deferToThread(run, ["qemu-io", "-f", "raw", *words, url])
    assert "verification failed" not in told.stdout + told.stderr


@pytest.mark.parametrize("form", [RAW, COW])
@pytest_twisted.ensureDeferred
async def test_a_chain_is_served_and_keeps_its_devices_until_its_server_ends(served, form):
    await served.chain(form, 2)
    assert await served.room.code("startNbdServer", SERVER, config(2)) == 230
    await served.room.ask("prepareImage", *IDS, uuid(4, 2))
    url = (await served.room.ask("startNbdServer", SERVER, config(2, discard=True)))["result"]
    await served.room.ask("teardownImage", *IDS)
    await io(url, "read -P 1 1M 1M", "read -P 2 2M 1M", "write -P 9 3M 1M")
    assert {entry.name for entry in (await served.entries()).values() if entry.active} == {uuid(4, 1), uuid(4, 2)}
    await served.room.ask("stopNbdServer", SERVER)
    await served.must_be_tidy()
    await served.io(2, "read -P 9 3M 1M")


@pytest_twisted.ensureDeferred
async def test_room_that_a_thin_volume_does_not_use_goes_back(served):
    await served.room.volume(1, size=str(64 * EXTENT), form=COW)
    await served.io(1, "write -P 1 0 1M")
    await served.lvm.extend(uuid(2), uuid(4, 1), 48 * EXTENT >> 20)
    await served.room.done("reduceVolume", *IDS, uuid(4, 1))
    left = (await served.entries())[uuid(4, 1)].size
    assert 20 * EXTENT <= left <= 22 * EXTENT  # a leaf keeps the room that a new one gets
    await served.io(1, "read -P 1 0 1M")
    await served.must_be_tidy()
