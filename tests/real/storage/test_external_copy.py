"""Data copied between volumes and what real servers serve, guarded by external leases."""

import os
import socket
import subprocess
import time

import pytest
import pytest_twisted
from contract.storage.room import POOL, Room, uuid
from contract.storage.written_leases import Plugin, WrittenLease
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from virgate.hookspecs.leases import LeaseOwner
from virgate.node.tasks.locks import image as image_lock

JOB, LEASE, DOMAIN, MIB = uuid(9), uuid(7), uuid(2), 1 << 20
PENDING = {"type": "JOB", "generation": 4, "job_id": JOB, "job_status": "PENDING"}


@pytest_twisted.async_yield_fixture
async def room(tmp_path, monkeypatch):
    """A raw volume, a qcow2 one on it, and a lease that stands for the job."""
    monkeypatch.setattr(WrittenLease, "held_by", {})
    monkeypatch.setattr(WrittenLease, "steps", [])
    made = await Room(tmp_path, plugins=[Plugin()]).start()
    await made.pool()
    await made.volume(1)
    write(path(made, 1), "raw", "write -P 1 1M 1M")
    await made.volume(2, form=4, parent=(1, 1))
    write(path(made, 2), "qcow2", "write -P 2 2M 1M")
    await made.done("createLease", {"sd_id": DOMAIN, "lease_id": LEASE}, PENDING)
    WrittenLease.steps.clear()
    yield made
    await made.stop()


@pytest.fixture
def serve(tmp_path):
    """Serves a file of 10 MiB on a socket, or a port; answers its url."""
    running = []

    def begin(file, *options, port=None):
        if not file.exists():
            with file.open("wb") as new:
                new.truncate(10 * MIB)
        at = tmp_path / f"{file.name}.sock"
        where = [f"--port={port}", "--bind=127.0.0.1"] if port else [f"--socket={at}"]
        ready = tmp_path / f"{file.name}.pid"
        argv = ["qemu-nbd", "--persistent", "--format=raw", f"--pid-file={ready}", *where, *options, str(file)]
        running.append(subprocess.Popen(argv))
        deadline = time.monotonic() + 20
        while not ready.exists() and running[-1].poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        return f"nbd://127.0.0.1:{port}" if port else f"nbd:unix:{at}"

    yield begin
    for one in running:
        one.terminate()
        one.wait()


def path(room, number, image=1):
    return str(room.base / "dom1" / DOMAIN / "images" / uuid(3, image) / uuid(4, number))


def write(file, form, *commands):
    words = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(["qemu-io", "-f", form, *words, file], capture_output=True, text=True)
    assert done.returncode == 0 and "failed" not in done.stdout, done.stdout + done.stderr


reads = write


def volume(number, image=1, **others):
    ids = {"sd_id": DOMAIN, "img_id": uuid(3, image), "vol_id": uuid(4, number)}
    return {"endpoint_type": "div", **ids, **others}


def outside(url, **others):
    lease = {"sd_id": DOMAIN, "lease_id": LEASE}
    return {"endpoint_type": "external", "lease": lease, "url": url, "format": "raw", "generation": 4, **others}


async def job(room, *ends, id=JOB):
    told = await room.job("sdmCopyData", id, *ends)
    return told["status"], told.get("error", {}).get("code"), told.get("error", {}).get("message", "")


async def told(room):
    found = (await room.ask("getLeaseStatus", {"sd_id": DOMAIN, "lease_id": LEASE}))["result"]["metadata"]
    return found["job_status"], found["generation"]


@pytest_twisted.ensureDeferred
async def test_what_a_guest_would_see_goes_to_a_server_while_the_lease_is_held(room, serve, tmp_path):
    await room.ask("spmStop", POOL)
    WrittenLease.steps.clear()
    url = serve(tmp_path / "there")
    assert (await job(room, volume(2, generation=0), outside(url)))[0] == "done"
    reads(str(tmp_path / "there"), "raw", "read -P 1 1M 1M", "read -P 2 2M 1M", "read -P 0 3M 1M")
    assert (tmp_path / "there").stat().st_blocks * 512 >= 10 * MIB  # nobody said that it may be sparse
    assert WrittenLease.steps == [("take", LEASE), ("give", LEASE)]
    assert await told(room) == ("SUCCEEDED", 5)


@pytest_twisted.ensureDeferred
async def test_a_sparse_copy_takes_no_room_for_zeros_also_over_tcp(room, serve, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = serve(tmp_path / "there", "--export-name=a b?&/%", port=port)
    end = outside(f"{url}/a%20b%3F%26%2F%25", sparse=True, is_zero=True, create=False)
    assert await job(room, volume(1), end) == ("done", None, "")
    reads(str(tmp_path / "there"), "raw", "read -P 1 1M 1M", "read -P 0 2M 8M")
    assert (tmp_path / "there").stat().st_blocks * 512 <= 2 * MIB


@pytest_twisted.ensureDeferred
async def test_a_volume_is_filled_from_a_server_and_nothing_of_before_shines_through(room, serve, tmp_path):
    url = serve(tmp_path / "there")
    write(str(tmp_path / "there"), "raw", "write -P 7 5M 1M")
    assert await job(room, outside(url), volume(2, generation=0)) == ("done", None, "")
    reads(path(room, 2), "qcow2", "read -P 7 5M 1M", "read -P 0 0 5M", "read -P 0 6M 4M")
    info = await room.info(2)
    assert (info["legality"], info["generation"], await told(room)) == ("LEGAL", 1, ("SUCCEEDED", 5))
    assert WrittenLease.steps == [("take", LEASE), ("take", uuid(4, 2)), ("give", uuid(4, 2)), ("give", LEASE)]
    reads(path(room, 1), "raw", "read -P 1 1M 1M")


@pytest_twisted.ensureDeferred
async def test_a_preallocated_volume_keeps_its_room(room, serve, tmp_path):
    await room.volume(6, image=6, allocation=1)
    assert (await job(room, outside(serve(tmp_path / "there")), volume(6, 6)))[0] == "done"
    assert int((await room.info(6, image=6))["truesize"]) >= 10 * MIB


@pytest_twisted.ensureDeferred
async def test_nothing_is_filled_whose_header_leads_elsewhere(room, serve, tmp_path):
    subprocess.run(
        ["qemu-img", "rebase", "-u", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", path(room, 2)], check=True
    )
    assert (await job(room, outside(serve(tmp_path / "there")), volume(2)))[:2] == ("failed", 262)
    assert (await room.info(2))["legality"] == "LEGAL"


@pytest_twisted.ensureDeferred
async def test_who_reads_the_image_is_waited_for_before_it_is_filled(room, serve, tmp_path):
    async with room.storage.locks.hold(image_lock(DOMAIN, uuid(3))):
        await room.ask("sdmCopyData", JOB, outside(serve(tmp_path / "there")), volume(2))
        await room.info(2)  # helpers are asked and answer meanwhile
        assert (WrittenLease.steps, (await room.ask("getJobs"))["jobs"][JOB]["status"]) == ([], "running")
    await room.storage.job_registry._work[JOB]
    assert (await room.ask("getJobs"))["jobs"][JOB]["status"] == "done"


@pytest_twisted.ensureDeferred
async def test_a_job_that_is_not_the_lease_s_changes_nothing(room, serve, tmp_path):
    url = serve(tmp_path / "there")
    tries = {
        912: (JOB[:-3] + "002", outside(url), volume(2)),
        911: (JOB, outside(url, generation=3), volume(2)),
        936: (JOB[:-3] + "003", outside(url, lease={"sd_id": DOMAIN, "lease_id": uuid(7, 7)}), volume(2)),
    }
    for code, (id, *ends) in tries.items():
        assert (await job(room, *ends, id=id))[:2] == ("failed", code)
    WrittenLease.held_by[LEASE] = LeaseOwner(2, 1)
    assert (await job(room, outside(url), volume(2), id=JOB[:-3] + "004"))[:2] == ("failed", 651)
    del WrittenLease.held_by[LEASE]
    assert (await room.info(2))["legality"] == "LEGAL"
    assert await told(room) == ("PENDING", 4)


@pytest_twisted.ensureDeferred
async def test_a_copy_that_fails_says_so_in_the_lease_and_cannot_be_tried_again(room, serve, tmp_path):
    status, code, said = await job(room, outside(f"nbd:unix:{tmp_path}/nobody"), volume(2))
    assert (status, code, "nobody" in said) == ("failed", 261, True)
    assert ((await room.info(2))["legality"], await told(room)) == ("LEGAL", ("FAILED", 4))
    url = serve(tmp_path / "there")
    assert room.storage.job_registry._jobs.pop(JOB).status == "failed"
    assert (await job(room, outside(url), volume(2)))[:2] == ("failed", 912)


@pytest_twisted.ensureDeferred
async def test_what_does_not_fit_is_not_copied_in_part(room, serve, tmp_path):
    large = tmp_path / "large"
    with large.open("wb") as new:
        new.truncate(20 * MIB)
    status, code, said = await job(room, outside(serve(large)), volume(2))
    assert (status, code, "20971520" in said) == ("failed", 261, True)
    assert (await room.info(2))["legality"] == "LEGAL"
    small = tmp_path / "small"
    with small.open("wb") as new:
        new.truncate(MIB)
    await room.done("deleteLease", {"sd_id": DOMAIN, "lease_id": LEASE})
    await room.done("createLease", {"sd_id": DOMAIN, "lease_id": LEASE})
    end = outside(serve(small), generation=None)
    assert (await job(room, volume(1), end, id=JOB[:-3] + "002"))[:2] == ("failed", 261)


@pytest_twisted.ensureDeferred
async def test_a_lease_that_stands_for_no_job_only_guards(room, serve, tmp_path):
    await room.done("deleteLease", {"sd_id": DOMAIN, "lease_id": LEASE})
    await room.done("createLease", {"sd_id": DOMAIN, "lease_id": LEASE})
    WrittenLease.steps.clear()
    url = serve(tmp_path / "there")
    assert (await job(room, volume(1), outside(url)))[:2] == ("failed", 912)
    assert (await job(room, volume(1), outside(url, generation=None), id=JOB[:-3] + "002"))[0] == "done"
    assert WrittenLease.steps == [("take", LEASE), ("give", LEASE)] * 2


@pytest.fixture
def endless(tmp_path, monkeypatch):
    """Copies never end."""
    tool = tmp_path / "qemu-img"
    tool.write_text('#!/bin/sh\n[ "$1" = info ] && echo \'{"virtual-size": 512}\' || exec sleep 60\n')
    tool.chmod(0o755)
    monkeypatch.setattr(WrittenLease, "others", [])
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest_twisted.ensureDeferred
async def test_the_end_of_the_daemon_ends_what_copies_and_is_told_in_the_lease(room, endless):
    copying = Deferred.fromCoroutine(job(room, outside("nbd://127.0.0.1"), volume(2)))
    while not await deferToThread(sleeping):
        """Until it runs."""
    await room.storage.end_work()
    assert ((await copying)[0], await deferToThread(sleeping), WrittenLease.held_by) == ("failed", [], {})
    assert ((await room.info(2))["legality"], await told(room)) == ("ILLEGAL", ("FAILED", 4))


@pytest_twisted.ensureDeferred
async def test_what_copies_is_killed_when_a_lease_is_lost(room, endless):
    copying = Deferred.fromCoroutine(job(room, outside("nbd://127.0.0.1"), volume(2)))
    while not (children := await deferToThread(sleeping)):
        """Until it runs."""
    for tell in WrittenLease.others:
        await tell("no storage")
    status, code, _ = await copying
    assert (status, code, await deferToThread(sleeping), len(children)) == ("failed", 261, [], 1)
    assert ((await room.info(2))["legality"], await told(room)) == ("ILLEGAL", ("FAILED", 4))
    assert WrittenLease.others == []


def sleeping():
    """Children of this process that sleep."""
    found = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "^sleep 60"], capture_output=True, text=True)
    return found.stdout.split()


@pytest_twisted.ensureDeferred
async def test_what_could_lead_elsewhere_is_no_job(room):
    good = outside("nbd://127.0.0.1")
    wrong = [
        {"url": "file:///etc/passwd"},
        {"url": "/etc/passwd"},
        {"url": "json:{}"},
        {"url": 5},
        {"format": "qcow2"},
        {"lease": {"sd_id": DOMAIN}},
        {"lease": {"sd_id": DOMAIN, "lease_id": "../x"}},
        {"generation": -1},
        {"sparse": "yes"},
    ]
    for change in wrong:
        assert await room.code("sdmCopyData", JOB, {**good, **change}, volume(2)) == 1000, change
    assert await room.code("sdmCopyData", JOB, good, good) == 1000
    assert await room.code("sdmCopyData", JOB, volume(2), good, True) == 1000
    assert (await room.ask("getJobs"))["jobs"] == {}
