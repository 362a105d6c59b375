"""Several images in one task, and machines on backup domains without their templates."""

import subprocess

import pytest
import pytest_twisted
from contract.storage.room import BLANK, POOL, uuid

DOMAIN, OTHER = uuid(2), uuid(2, 2)


def path(room, number, image=1, domain=1):
    return str(room.base / f"dom{domain}" / uuid(2, domain) / "images" / uuid(3, image) / uuid(4, number))


def qemu_io(file, form, *commands):
    words = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(["qemu-io", "-f", form, *words, file], capture_output=True, text=True)
    assert done.returncode == 0 and "Pattern verification failed" not in done.stdout, done.stdout + done.stderr


async def images(room, domain):
    return set((await room.ask("getImagesList", domain))["imageslist"])


async def sound(room, *domains):
    for domain in domains:
        report = (await room.ask("checkStorageDomain", domain))["check"]
        assert report["sound"], report


async def three_images(room):
    """The first has a snapshot."""
    await room.pool(domains=2)
    for number in (1, 2, 3):
        await room.volume(number, image=number, form=5 if number == 2 else 4)
        qemu_io(path(room, number, number), "raw" if number == 2 else "qcow2", f"write -P {number} 1M 1M")
    await room.volume(4, image=1, form=4, parent=(1, 1))
    qemu_io(path(room, 4), "qcow2", "write -P 4 2M 1M")


def move(*numbers):
    return ("moveMultipleImages", POOL, DOMAIN, OTHER, {uuid(3, number): "false" for number in numbers}, BLANK)


@pytest_twisted.ensureDeferred
async def test_all_images_are_moved_with_what_they_hold(room):
    await three_images(room)
    await room.done(*move(1, 2, 3))
    assert (await images(room, DOMAIN), await images(room, OTHER)) == (set(), {uuid(3, n) for n in (1, 2, 3)})
    qemu_io(path(room, 4, 1, 2), "qcow2", "read -P 1 1M 1M", "read -P 4 2M 1M", "read -P 0 3M 1M")
    qemu_io(path(room, 2, 2, 2), "raw", "read -P 2 1M 1M")
    qemu_io(path(room, 3, 3, 2), "qcow2", "read -P 3 1M 1M")
    await sound(room, DOMAIN, OTHER)


@pytest_twisted.ensureDeferred
async def test_one_that_cannot_be_copied_takes_the_copies_of_the_others_away(room):
    await three_images(room)
    with open(path(room, 3, 3), "r+b") as file:
        file.seek(36)  # a table of the wrong size
        file.write((1 << 30).to_bytes(4, "big"))
    status = await room.task(*move(1, 2, 3))
    assert (status["taskResult"], status["code"]) == ("cleanSuccess", 264)
    assert uuid(3, 3) in status["message"]
    assert (await images(room, DOMAIN), await images(room, OTHER)) == ({uuid(3, n) for n in (1, 2, 3)}, set())


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_moved_is_said_before_a_task_begins(room):
    await three_images(room)
    assert await room.code(*move()) == 1000
    assert await room.code("moveMultipleImages", POOL, DOMAIN, DOMAIN, {uuid(3): "false"}, BLANK) == 1000
    assert await room.code(*move(1, 7)) == 268
    assert await room.code("moveMultipleImages", POOL, DOMAIN, OTHER, {"../x": "false"}, BLANK) == 1000
    await room.ask("spmStop", POOL)
    assert await room.code(*move(1)) == 654


# backup domains


@pytest_twisted.async_yield_fixture
async def export(room):
    """A template of raw data with a clone, and an empty backup domain."""
    await room.pool()
    await room.volume(1, image=1, form=5)
    qemu_io(path(room, 1), "raw", "write -P 1 1M 1M")
    await room.volume(2, image=2, form=4, parent=(1, 1))
    qemu_io(path(room, 2, 2), "qcow2", "write -P 2 2M 1M")
    await room.domain(3, domain_class=3)
    await room.ask("attachStorageDomain", uuid(2, 3), POOL)
    await room.ask("activateStorageDomain", uuid(2, 3), POOL)
    yield room


EXPORT = ("moveImage", POOL, DOMAIN, uuid(2, 3), uuid(3, 2), BLANK, 1)
IMPORT = ("moveImage", POOL, uuid(2, 3), DOMAIN, uuid(3, 2), BLANK, 1, "false", "true")


@pytest_twisted.ensureDeferred
async def test_a_clone_goes_to_a_backup_domain_on_a_stand_in_and_comes_back_whole(export):
    await export.done(*EXPORT)
    info = await export.info(1, image=1, domain=3)
    assert (info["legality"], info["voltype"], info["format"], info["description"]) == (
        "FAKE", "SHARED", "COW", "Fake volume",
    )  # fmt: skip
    await sound(export, DOMAIN, uuid(2, 3))
    await export.done("deleteImage", DOMAIN, POOL, uuid(3, 2))
    await export.done(*IMPORT)
    qemu_io(path(export, 2, 2), "qcow2", "read -P 1 1M 1M", "read -P 2 2M 1M", "read -P 0 3M 1M")
    await sound(export, DOMAIN)


@pytest_twisted.ensureDeferred
async def test_the_template_itself_takes_the_place_of_its_stand_in(export):
    await export.done(*EXPORT)
    assert await export.code("moveImage", POOL, DOMAIN, uuid(2, 3), uuid(3, 1), BLANK, 1) == 266  # in use, here
    await export.done("deleteImage", DOMAIN, POOL, uuid(3, 2))
    await export.done("moveImage", POOL, DOMAIN, uuid(2, 3), uuid(3, 1), BLANK, 1)
    for image in (1, 2):
        info = await export.info(1, image=image, domain=3)
        assert (info["legality"], info["format"]) == ("LEGAL", "RAW")
    qemu_io(path(export, 2, 2, 3), "qcow2", "read -P 1 1M 1M", "read -P 2 2M 1M")
    await sound(export, uuid(2, 3))


@pytest_twisted.ensureDeferred
async def test_a_deleted_template_leaves_a_stand_in_on_a_backup_domain_only(export):
    assert await export.code("deleteImage", DOMAIN, POOL, uuid(3, 1)) == 223
    await export.done(*EXPORT)
    await export.done("deleteImage", DOMAIN, POOL, uuid(3, 2))
    await export.done("moveImage", POOL, DOMAIN, uuid(2, 3), uuid(3, 1), BLANK, 1)
    await export.done("deleteImage", uuid(2, 3), POOL, uuid(3, 1))
    for image in (1, 2):
        assert (await export.info(1, image=image, domain=3))["legality"] == "FAKE"
    await sound(export, uuid(2, 3))
    await export.done(*IMPORT)
    qemu_io(path(export, 2, 2), "qcow2", "read -P 1 1M 1M", "read -P 2 2M 1M")
    await export.done("deleteImage", uuid(2, 3), POOL, uuid(3, 2))
    await export.done("deleteImage", uuid(2, 3), POOL, uuid(3, 1))
    assert await images(export, uuid(2, 3)) == set()


@pytest.mark.parametrize("verb", ["copyImage", "mergeSnapshots"])
@pytest_twisted.ensureDeferred
async def test_nothing_is_read_through_a_stand_in(export, verb):
    await export.done(*EXPORT)
    if verb == "copyImage":
        ids = (uuid(3, 2), uuid(4, 2), uuid(3, 5), uuid(4, 5))
    else:
        ids = (uuid(3, 2), uuid(4, 1), uuid(4, 2))
    status = await export.task(verb, uuid(2, 3), POOL, BLANK, *ids)
    assert status["code"] == 262
