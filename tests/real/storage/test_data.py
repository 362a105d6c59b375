"""What guests see stays the same through copies, merges and moves. Patterns are written and read with qemu-io."""

import os
import subprocess

import pytest
import pytest_twisted
from contract.storage.room import BLANK, POOL, uuid

DOMAIN, OTHER, IMAGE = uuid(2), uuid(2, 2), uuid(3)
MIB = 1 << 20


def path(room, number, image=1, domain=1):
    return str(room.base / f"dom{domain}" / uuid(2, domain) / "images" / uuid(3, image) / uuid(4, number))


def qemu_io(file, form, *commands):
    words = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(["qemu-io", "-f", form, *words, file], capture_output=True, text=True)
    assert done.returncode == 0 and "Pattern verification failed" not in done.stdout, done.stdout + done.stderr


def write(file, form, pattern, megabyte):
    qemu_io(file, form, f"write -P {pattern} {megabyte}M 1M")


def holds(file, form, *patterns):
    """Megabyte by megabyte, what the guest would read."""
    qemu_io(file, form, *(f"read -P {pattern} {place}M 1M" for place, pattern in enumerate(patterns)))


async def three_volumes(room, base):
    """A chain whose volumes wrote 1, 2, 3 into one megabyte each, the last one over the first's second."""
    await room.volume(1, form=base)
    write(path(room, 1), "raw" if base == 5 else "qcow2", 1, 0)
    write(path(room, 1), "raw" if base == 5 else "qcow2", 1, 1)
    await room.volume(2, form=4, parent=(1, 1))
    write(path(room, 2), "qcow2", 2, 2)
    await room.volume(3, form=4, parent=(1, 2))
    write(path(room, 3), "qcow2", 3, 1)
    holds(path(room, 3), "qcow2", 1, 3, 2, 0)


@pytest.mark.parametrize("base", [4, 5], ids=["cow", "raw"])
@pytest.mark.parametrize("form, name", [(4, "qcow2"), (5, "raw")])
@pytest.mark.parametrize("allocation", [1, 2], ids=["preallocated", "sparse"])
@pytest_twisted.ensureDeferred
async def test_a_copy_holds_what_the_whole_chain_held(room, base, form, name, allocation):
    await room.pool()
    await three_volumes(room, base)
    await room.done(
        "copyImage",
        DOMAIN, POOL, BLANK, IMAGE, uuid(4, 3), uuid(3, 5), uuid(4, 5), "copy", BLANK, 8, form, allocation,
    )  # fmt: skip
    holds(path(room, 5, image=5), name, 1, 3, 2, 0)
    info = await room.info(5, image=5)
    assert (info["voltype"], info["legality"], info["parent"]) == ("LEAF", "LEGAL", BLANK)
    assert info["type"] == ("PREALLOCATED" if allocation == 1 else "SPARSE")


@pytest.mark.parametrize("base", [4, 5], ids=["cow", "raw"])
@pytest.mark.parametrize("first, last", [(1, 2), (1, 3), (2, 3)])
@pytest_twisted.ensureDeferred
async def test_a_merge_keeps_what_the_leaf_shows(room, base, first, last):
    await room.pool()
    await three_volumes(room, base)
    await room.done("mergeSnapshots", DOMAIN, POOL, BLANK, IMAGE, uuid(4, first), uuid(4, last), "false")
    left = {1, 2, 3} - set(range(first, last))
    assert (await room.ask("getVolumesList", DOMAIN, POOL, IMAGE))["uuidlist"] == [uuid(4, n) for n in sorted(left)]
    form = "raw" if base == 5 and left == {3} else "qcow2"
    holds(path(room, 3), form, 1, 3, 2, 0)
    prepared = await room.ask("prepareImage", POOL, DOMAIN, IMAGE, uuid(4, 3))
    assert [member["volumeID"] for member in prepared["imgVolumesInfo"]] == [uuid(4, n) for n in sorted(left)]
    assert all(
        "_remove_me_" not in name and "_MERGE" not in name for name in os.listdir(os.path.dirname(path(room, 1)))
    )


@pytest.mark.parametrize("base", [4, 5], ids=["cow", "raw"])
@pytest.mark.parametrize("operation", [1, 2], ids=["copy", "move"])
@pytest_twisted.ensureDeferred
async def test_a_moved_image_is_the_same_chain_elsewhere(room, base, operation):
    await room.pool(domains=2)
    await three_volumes(room, base)
    before = [await room.info(number) for number in (1, 2, 3)]
    await room.done("moveImage", POOL, DOMAIN, OTHER, IMAGE, BLANK, operation)
    holds(path(room, 3, domain=2), "qcow2", 1, 3, 2, 0)
    after = [await room.info(number, domain=2) for number in (1, 2, 3)]
    for old, new in zip(before, after, strict=True):
        kept = ("uuid", "parent", "format", "type", "voltype", "capacity", "description", "ctime", "legality")
        assert {key: new[key] for key in kept} == {key: old[key] for key in kept}
    assert (await room.ask("getImagesList", DOMAIN))["imageslist"] == ([] if operation == 2 else [IMAGE])


@pytest_twisted.ensureDeferred
async def test_structure_then_data_make_the_same_image(room):
    await room.pool(domains=2)
    await three_volumes(room, 5)
    await room.done("cloneImageStructure", POOL, DOMAIN, IMAGE, OTHER)
    await room.done("syncImageData", POOL, DOMAIN, IMAGE, OTHER, "ALL")
    holds(path(room, 3, domain=2), "qcow2", 1, 3, 2, 0)


@pytest_twisted.ensureDeferred
async def test_a_clone_of_a_template_shares_its_data_by_hard_links(room):
    await room.pool()
    await room.volume(1, form=5)
    write(path(room, 1), "raw", 7, 0)
    await room.volume(2, image=2, form=4, size="1", parent=(1, 1))
    assert os.stat(path(room, 1)).st_ino == os.stat(path(room, 1, image=2)).st_ino
    assert os.stat(path(room, 1) + ".meta").st_ino == os.stat(path(room, 1, image=2) + ".meta").st_ino
    holds(path(room, 2, image=2), "qcow2", 7, 0)
    await room.ask("setVolumeDescription", DOMAIN, POOL, IMAGE, uuid(4), "new")
    assert os.stat(path(room, 1) + ".meta").st_ino == os.stat(path(room, 1, image=2) + ".meta").st_ino


@pytest_twisted.ensureDeferred
async def test_a_chain_that_a_live_merge_shortened_is_reconciled(room):
    await room.pool()
    await three_volumes(room, 4)
    subprocess.run(["qemu-img", "rebase", "-f", "qcow2", "-b", uuid(4, 1), "-F", "qcow2", path(room, 3)], check=True)
    answer = await room.ask("reconcileVolumeChain", POOL, DOMAIN, IMAGE, uuid(4, 3))
    assert answer["volumes"] == [uuid(4, 1), uuid(4, 3)]
    assert (await room.info(3))["parent"] == uuid(4, 1)
    await room.ask("setVolumeLegality", DOMAIN, POOL, IMAGE, uuid(4, 3), "ILLEGAL")
    answer = await room.ask("reconcileVolumeChain", POOL, DOMAIN, IMAGE, uuid(4, 3))
    assert answer["volumes"] == [uuid(4, 1)]
    assert (await room.info(1))["voltype"] == "LEAF"
