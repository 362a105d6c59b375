"""Jobs of any host: data copied, volumes changed, and what is told of jobs."""

import subprocess

import pytest
import pytest_twisted
from contract.storage.room import BLANK, POOL, uuid
from twisted.internet.task import Clock

from virgate.errors import InvalidParameter
from virgate.node.storage.errors.jobs import WrongGeneration
from virgate.node.storage.sdm.registry import KEPT, JobRegistry

DOMAIN, OTHER, JOB = uuid(2), uuid(2, 2), uuid(9)


def path(room, number, image=1, domain=1):
    return str(room.base / f"dom{domain}" / uuid(2, domain) / "images" / uuid(3, image) / uuid(4, number))


def qemu_io(file, form, *commands):
    words = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(["qemu-io", "-f", form, *words, file], capture_output=True, text=True)
    assert done.returncode == 0 and "Pattern verification failed" not in done.stdout, done.stdout + done.stderr


def volume(number, image=1, domain=1, **others):
    ids = {"sd_id": uuid(2, domain), "img_id": uuid(3, image), "vol_id": uuid(4, number)}
    return {"endpoint_type": "div", **ids, **others}


async def job(room, verb, *arguments, id=JOB):
    return await room.job(verb, id, *arguments)


async def two(room):
    """A chain of two volumes, and an empty one on the other domain. The host is no SPM any more."""
    await room.pool(domains=2)
    await room.volume(1)
    qemu_io(path(room, 1), "raw", "write -P 1 1M 1M")
    await room.volume(2, form=4, parent=(1, 1))
    qemu_io(path(room, 2), "qcow2", "write -P 2 2M 1M")
    await room.volume(5, image=5, form=4, domain=2)
    await room.ask("spmStop", POOL)


@pytest_twisted.ensureDeferred
async def test_a_host_that_is_no_spm_copies_data_and_the_generation_grows(room):
    await two(room)
    told = await job(room, "sdmCopyData", volume(2, generation=0), volume(5, 5, 2, generation=0))
    assert told == {"id": JOB, "status": "done", "description": "copy_data", "job_type": "storage", "progress": 100}
    qemu_io(path(room, 5, 5, 2), "qcow2", "read -P 1 1M 1M", "read -P 2 2M 1M", "read -P 0 3M 1M")
    info = await room.info(5, image=5, domain=2)
    assert (info["legality"], info["generation"]) == ("LEGAL", 1)


@pytest_twisted.ensureDeferred
async def test_a_wrong_generation_ends_the_job_before_anything_is_changed(room):
    await two(room)
    for ends in ((volume(2), volume(5, 5, 2, generation=3)), (volume(2, generation=3), volume(5, 5, 2))):
        told = await job(room, "sdmCopyData", *ends, id=uuid(9, 1 + ("generation" in ends[0])))
        assert (told["status"], told["error"]["code"]) == ("failed", WrongGeneration.code)
    info = await room.info(5, image=5, domain=2)
    assert (info["legality"], info["generation"]) == ("LEGAL", 0)


@pytest_twisted.ensureDeferred
async def test_a_copy_that_fails_leaves_the_target_illegal_and_of_its_generation(room):
    await two(room)
    with open(path(room, 2), "r+b") as file:
        file.seek(36)  # a table of the wrong size
        file.write((1 << 30).to_bytes(4, "big"))
    told = await job(room, "sdmCopyData", volume(2), volume(5, 5, 2))
    assert (told["status"], told["error"]["code"]) == ("failed", 261)
    info = await room.info(5, image=5, domain=2)
    assert (info["legality"], info["generation"]) == ("ILLEGAL", 0)
    assert await room.code("prepareImage", BLANK, OTHER, uuid(3, 5), uuid(4, 5)) == 227


@pytest_twisted.ensureDeferred
async def test_a_volume_is_changed_in_one_write(room):
    await two(room)
    changes = {"description": "new", "type": "SHARED", "legality": "LEGAL"}
    assert (await job(room, "sdmUpdateVolume", volume(5, 5, 2), changes))["status"] == "done"
    info = await room.info(5, image=5, domain=2)
    assert (info["description"], info["voltype"], info["generation"]) == ("new", "SHARED", 1)
    told = await job(room, "sdmUpdateVolume", volume(2), {"type": "SHARED"}, id=uuid(9, 2))
    assert told["error"]["code"] == 235
    told = await job(room, "sdmUpdateVolume", volume(2), {"generation": 500}, id=uuid(9, 3))
    assert (await room.info(2))["generation"] == 500


@pytest_twisted.ensureDeferred
async def test_what_is_asked_wrongly_is_no_job(room):
    await two(room)
    for wrong in ({}, {"type": "LEAF"}, {"legality": "?"}, {"size": 1}, {"generation": "x"}):
        assert await room.code("sdmUpdateVolume", JOB, volume(5, 5, 2), wrong) == 1000
    for wrong in ({}, volume(2, sd_id="../x"), volume(2, generation=1000), volume(2, generation="1")):
        assert await room.code("sdmCopyData", JOB, wrong, volume(5, 5, 2)) == 1000
    assert await room.code("sdmCopyData", JOB, volume(2), volume(2)) == 1000
    assert await room.code("sdmCopyData", JOB, {**volume(2), "endpoint_type": "external"}, volume(5, 5, 2)) == 1000
    assert (await room.ask("getJobs"))["jobs"] == {}


@pytest_twisted.ensureDeferred
async def test_a_volume_is_measured_with_and_without_what_is_below_it(room):
    await two(room)
    ids = (uuid(4, 2), POOL, DOMAIN, uuid(3))
    whole = (await room.ask("measureVolume", *ids, 4, True))["result"]
    alone = (await room.ask("measureVolume", *ids, 4, False))["result"]
    assert 0 < whole["required"] - alone["required"] <= 1 << 21
    assert whole["fully-allocated"] > 10485760
    assert (await room.ask("measureVolume", *ids, 5))["result"]["required"] == 10485760
    assert await room.code("measureVolume", *ids, 7) == 202
    info = (await room.ask("getQemuImageInfo", DOMAIN, POOL, uuid(3), uuid(4, 2)))["info"]
    assert info == {"format": "qcow2", "virtualsize": 10485760, "backingfile": uuid(4, 1), "compat": "1.1"}


@pytest_twisted.ensureDeferred
async def test_a_job_is_told_of_for_an_hour_and_its_id_is_good_once():
    clock = Clock()
    jobs = JobRegistry(clock)

    async def work(job):
        job.report(50)

    jobs.start("a", "nothing", work)
    assert jobs.told()["a"]["status"] == "done"
    assert (jobs.told("v2v"), jobs.told("storage", ["b"])) == ({}, {})
    with pytest.raises(InvalidParameter):
        jobs.start("a", "nothing", work)
    clock.advance(KEPT - 1)
    assert "a" in jobs.told()
    clock.advance(1)
    assert jobs.told() == {}
