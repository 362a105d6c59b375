"""Volumes served by real qemu-nbd, read and written by real clients."""

import json
import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest_twisted
from contract.storage.room import BLANK, POOL, Room, uuid
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from virgate.node.storage.nbd import server, servers

SERVER, DOMAIN, MIB = uuid(8), uuid(2), 1 << 20


@pytest_twisted.async_yield_fixture
async def room(tmp_path_factory):
    """In a folder with a short name: that of a socket has 107 bytes at most."""
    made = await Room(tmp_path_factory.mktemp("n")).start()
    yield made
    await made.stop()


def config(number=1, image=1, **others):
    return {"sd_id": DOMAIN, "img_id": uuid(3, image), "vol_id": uuid(4, number), **others}


def path(room, number):
    return room.base / "dom1" / DOMAIN / "images" / uuid(3) / uuid(4, number)


async def program(*argv):
    done = await deferToThread(subprocess.run, argv, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


async def qemu_io(url, *commands, form="raw"):
    words = [word for command in commands for word in ("-c", command)]
    code, said = await program("qemu-io", "-f", form, *words, url)
    return code == 0 and "failed" not in said, said


async def chain(room):
    """A raw volume and a qcow2 one on it, prepared."""
    await room.pool()
    await room.volume(1)
    assert (await qemu_io(str(path(room, 1)), "write -P 1 1M 1M"))[0]
    await room.volume(2, form=4, parent=(1, 1))
    assert (await qemu_io(str(path(room, 2)), "write -P 2 2M 1M", form="qcow2"))[0]
    await prepare(room, 2)


async def prepare(room, number, image=1):
    await room.ask("prepareImage", BLANK, DOMAIN, uuid(3, image), uuid(4, number))


async def started(room, id=SERVER, **wish):
    return (await room.ask("startNbdServer", id, config(**wish)))["result"]


@pytest_twisted.ensureDeferred
async def test_a_client_sees_what_a_guest_would_see_and_writes_it(room):
    await chain(room)
    url = await started(room, number=2, discard=True, detect_zeroes=True)
    assert url == f"nbd:unix:{room.base}/run/nbd/{SERVER}.sock"
    told = await qemu_io(url, "read -P 1 1M 1M", "read -P 2 2M 1M", "read -P 0 4M 1M", "write -P 3 5M 1M")
    assert told[0], told[1]
    copy = room.base / "copy"
    assert await program("qemu-img", "convert", "-O", "raw", url, str(copy)) == (0, "")
    assert copy.read_bytes()[5 * MIB : 6 * MIB] == b"\3" * MIB
    mode = (room.base / "run/nbd" / f"{SERVER}.sock").stat().st_mode
    assert (stat.S_ISSOCK(mode), oct(mode & 0o777)) == (True, "0o660")
    assert oct((room.base / "run/nbd").stat().st_mode & 0o777) == "0o750"
    await room.ask("stopNbdServer", SERVER)
    assert not list((room.base / "run/nbd").iterdir())
    assert (await qemu_io(str(path(room, 2)), "read -P 3 5M 1M", form="qcow2"))[0]
    await room.ask("stopNbdServer", SERVER)


@pytest_twisted.ensureDeferred
async def test_a_volume_alone_has_only_what_is_its_own_and_read_only_is_just_that(room):
    await chain(room)
    url = await started(room, number=2, readonly=True, backing_chain=False)
    assert (await qemu_io(url, "write -P 9 1M 1M"))[0] is False
    code, said = await program("qemu-io", "-r", "-f", "raw", "-c", "read -P 0 1M 1M", "-c", "read -P 2 2M 1M", url)
    assert (code, "failed" in said) == (0, False), said
    below = await started(room, uuid(8, 2), number=1, readonly=True)
    code, said = await program("qemu-io", "-r", "-f", "raw", "-c", "read -P 1 1M 1M", "-c", "read -P 0 2M 1M", below)
    assert (code, "failed" in said) == (0, False), said


@pytest_twisted.ensureDeferred
async def test_a_bitmap_tells_what_changed(room):
    await chain(room)
    assert (await program("qemu-img", "bitmap", "--add", str(path(room, 2)), "backup"))[0] == 0
    assert (await qemu_io(str(path(room, 2)), "write -P 5 3M 64k", form="qcow2"))[0]
    url = await started(room, number=2, readonly=True, bitmap="backup")
    image = {"driver": "nbd", "server.type": "unix", "server.path": url.removeprefix("nbd:unix:")}
    image["x-dirty-bitmap"] = "qemu:dirty-bitmap:backup"
    code, said = await program("qemu-img", "map", "--output=json", "json:" + json.dumps(image))
    assert code == 0, said
    # what this QEMU tells as "without data" is what the bitmap calls dirty
    assert [(part["start"], part["length"]) for part in json.loads(said) if not part["data"]] == [(3 * MIB, 65536)]
    assert await room.code("stopNbdServer", SERVER) == 0
    answer = await room.call("startNbdServer", SERVER, config(2, readonly=True, bitmap="unknown"))
    assert (answer["status"]["code"], "unknown" in answer["status"]["message"]) == (200, True)


@pytest_twisted.ensureDeferred
async def test_what_must_not_be_served_is_refused_and_nothing_is_left(room):
    await chain(room)
    await room.volume(5, image=5)
    refused = {
        230: config(5, 5),
        213: config(1),
        201: config(7),
        1000: config(2, bitmap="b"),
    }
    for code, wish in refused.items():
        assert await room.code("startNbdServer", SERVER, wish) == code
    for wish in ({}, config(2, readonly="yes"), config(2, sd_id="../x"), config(2, bitmap="b", readonly=True,
                 backing_chain=False), config(2, bitmap=3, readonly=True)):  # fmt: skip
        assert await room.code("startNbdServer", SERVER, wish) == 1000
    await room.ask("setVolumeLegality", DOMAIN, POOL, uuid(3), uuid(4, 1), "ILLEGAL")
    assert await room.code("startNbdServer", SERVER, config(2)) == 262
    await room.ask("setVolumeLegality", DOMAIN, POOL, uuid(3), uuid(4, 1), "LEGAL")
    await program("qemu-img", "rebase", "-u", "-b", "/etc/hostname", "-F", "raw", str(path(room, 2)))
    assert await room.code("startNbdServer", SERVER, config(2, readonly=True)) == 262
    assert (room.storage.nbd._servers, list(room.base.glob("run/nbd/*"))) == ({}, [])


@pytest_twisted.ensureDeferred
async def test_an_image_is_not_changed_by_others_while_it_is_served(room):
    await chain(room)
    await started(room, number=2)
    assert await started(room, number=2) == f"nbd:unix:{room.base}/run/nbd/{SERVER}.sock"
    assert await room.code("startNbdServer", SERVER, config(2, readonly=True)) == 1000
    room.storage.locks._timeout = 0.2
    assert await room.code("deleteImage", DOMAIN, POOL, uuid(3)) == 851
    await room.ask("stopNbdServer", SERVER)
    await room.wait((await room.ask("deleteImage", DOMAIN, POOL, uuid(3)))["uuid"])


@pytest_twisted.ensureDeferred
async def test_a_server_that_dies_leaves_nothing_and_starts_again(room):
    await chain(room)
    await started(room, number=2)
    running = room.storage.nbd._servers[SERVER]
    os.kill(running.child.pid, signal.SIGKILL)
    await running.ended.wait()
    assert not list((room.base / "run/nbd").iterdir())
    assert (await qemu_io(await started(room, number=2), "read -P 1 1M 1M"))[0]


@pytest_twisted.ensureDeferred
async def test_the_end_of_the_daemon_is_the_end_of_its_servers(room):
    await chain(room)
    await started(room, number=2)
    running = room.storage.nbd._servers[SERVER]
    await room.storage.end_work()
    assert (running.ended.known, room.storage.nbd._servers, list(room.base.glob("run/nbd/*"))) == (True, {}, [])
    assert not Path(f"/proc/{running.child.pid}").exists()


@pytest_twisted.ensureDeferred
async def test_a_server_that_does_not_end_is_killed(room, monkeypatch):
    await chain(room)
    await started(room, number=2)
    child = room.storage.nbd._servers[SERVER].child
    os.kill(child.pid, signal.SIGSTOP)
    monkeypatch.setattr(servers, "PATIENCE", 0.2)
    await room.ask("stopNbdServer", SERVER)
    assert not Path(f"/proc/{child.pid}").exists()


@pytest_twisted.ensureDeferred
async def test_a_server_that_is_silent_is_given_up_and_one_that_starts_can_be_stopped(room, monkeypatch):
    await chain(room)
    silent = room.base / "qemu-nbd"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{room.base}:{os.environ['PATH']}")
    monkeypatch.setattr(server, "START", 0.3)
    answer = (await room.call("startNbdServer", SERVER, config(2)))["status"]
    assert (answer["code"], "silent" in answer["message"]) == (200, True)
    monkeypatch.setattr(server, "START", 30.0)
    starting = Deferred.fromCoroutine(room.call("startNbdServer", SERVER, config(2)))
    await room.ask("stopNbdServer", SERVER)
    assert (await starting)["status"]["code"] == 200


@pytest_twisted.ensureDeferred
async def test_a_host_without_the_program_says_what_to_install(room, monkeypatch):
    await chain(room)
    for name in ("setpriv", "sh"):
        (room.base / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(room.base))
    answer = (await room.call("startNbdServer", SERVER, config(2)))["status"]
    assert (answer["code"], "qemu-utils" in answer["message"]) == (200, True)
