"""Merges and moves that fail at any of their steps: what guests see is still there, and the next attempt succeeds."""

import errno
import subprocess

import pytest
import pytest_twisted
from contract.storage.room import BLANK, POOL, Room, uuid
from twisted.internet.defer import fail

from virgate.node.storage.assembling import OPERATIONS
from virgate.run.helper import Helpers

DOMAIN, OTHER, IMAGE = uuid(2), uuid(2, 2), uuid(3)


class Failing:
    """Helpers of which one call to write, remove or rename something fails; the journal itself is spared."""

    CHANGES = frozenset(
        {"write_file", "make_folders", "reserve_volume", "commit_volume", "remove_volume", "rename_volume"}
    )

    def __init__(self):
        self.real = Helpers(OPERATIONS)
        self.left = 0

    def __getitem__(self, key):
        helper = self.real[key]

        def call(operation, *args, timeout=None):
            if self.left and operation in self.CHANGES:
                self.left -= 1
                if not self.left:
                    return fail(OSError(errno.EIO, "I/O error"))
            return helper.call(operation, *args, timeout=timeout)

        return type("Proxy", (), {"call": staticmethod(call)})

    async def drop(self, key):
        await self.real.drop(key)

    async def close(self):
        await self.real.close()


def qemu_io(path, *commands, form="qcow2"):
    words = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(["qemu-io", "-f", form, *words, path], capture_output=True, text=True)
    assert done.returncode == 0 and "Pattern verification failed" not in done.stdout, done.stdout + done.stderr


@pytest_twisted.async_yield_fixture
async def room(tmp_path):
    made = await Room(tmp_path, helpers=Failing()).start()
    yield made
    await made.stop()


async def chain(room, base):
    """Three volumes that wrote 1, 2 and 3 into a megabyte each, and the path of the leaf."""
    await room.pool(domains=2)
    folder = room.base / "dom1" / DOMAIN / "images" / IMAGE
    for number in (1, 2, 3):
        await room.volume(number, form=base if number == 1 else 4, parent=(1, number - 1) if number > 1 else None)
        form = "raw" if number == 1 and base == 5 else "qcow2"
        qemu_io(str(folder / uuid(4, number)), f"write -P {number} {number}M 1M", form=form)
    return str(folder / uuid(4, 3))


SEEN = ("read -P 1 1M 1M", "read -P 2 2M 1M", "read -P 3 3M 1M", "read -P 0 4M 1M")


@pytest.mark.parametrize("base", [4, 5], ids=["cow", "raw"])
@pytest.mark.parametrize("first, last", [(1, 2), (1, 3), (2, 3)])
@pytest_twisted.ensureDeferred
async def test_a_merge_that_fails_leaves_the_chain_as_it_was(room, base, first, last):
    leaf = await chain(room, base)
    merge = ("mergeSnapshots", DOMAIN, POOL, BLANK, IMAGE, uuid(4, first), uuid(4, last), "false")
    for step in range(1, 20):
        room.helpers.left = step
        status = await room.task(*merge)
        room.helpers.left = 0
        form = "raw" if base == 5 and status["taskResult"] == "success" and (first, last) == (1, 3) else "qcow2"
        qemu_io(leaf, *SEEN, form=form)
        if status["taskResult"] == "success":
            break
        for number in (1, 2, 3):
            info = await room.info(number)
            assert (info["status"], info["parent"]) == ("OK", uuid(4, number - 1) if number > 1 else BLANK), step
    assert step > 1
    assert (await room.ask("prepareImage", POOL, DOMAIN, IMAGE, uuid(4, 3)))["path"]


@pytest_twisted.ensureDeferred
async def test_a_move_that_fails_leaves_the_source_and_no_copy(room):
    leaf = await chain(room, 5)
    for step in range(1, 40):
        room.helpers.left = step
        status = await room.task("moveImage", POOL, DOMAIN, OTHER, IMAGE, BLANK, 2)
        room.helpers.left = 0
        if status["taskResult"] == "success":
            break
        qemu_io(leaf, *SEEN)
        assert (await room.ask("getImagesList", OTHER))["imageslist"] == [], step
    assert step > 5
    qemu_io(leaf.replace("dom1", "dom2").replace(DOMAIN, OTHER), *SEEN)
    assert (await room.ask("getImagesList", DOMAIN))["imageslist"] == []
