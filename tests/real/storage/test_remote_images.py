"""Images to web servers and from them, as tasks: what arrives, what a failure leaves, and what cancelling ends."""

import os
import subprocess

import pytest
import pytest_twisted
from contract.storage.image_server import ImageServer
from contract.storage.room import POOL, uuid
from twisted.internet import reactor
from twisted.internet.defer import Deferred

DOMAIN, IMAGE, VOLUME = uuid(2), uuid(3), uuid(4)
MIB = 1 << 20
SIZE = 10 * MIB


@pytest_twisted.async_yield_fixture
async def server():
    made = ImageServer().start()
    yield made
    await made.stop()


def data_of(room, number=1, image=1):
    return room.base / "dom1" / DOMAIN / "images" / uuid(3, image) / uuid(4, number)


def asked(server, **headers):
    return {"method": "http", "url": server.url(), "headers": headers}


@pytest_twisted.ensureDeferred
async def test_an_uploaded_image_arrives_byte_by_byte(room, server):
    await room.pool()
    await room.volume(1)
    data_of(room).write_bytes(os.urandom(SIZE))
    await room.done("uploadImage", asked(server, Authorization="Bearer x"), POOL, DOMAIN, IMAGE, VOLUME)
    assert bytes(server.taken) == data_of(room).read_bytes()
    assert (server.methods, server.headers["authorization"]) == (["PUT"], "Bearer x")


@pytest_twisted.ensureDeferred
async def test_only_images_of_one_volume_are_uploaded(room, server):
    await room.pool()
    await room.volume(1)
    await room.volume(2, form=4, parent=(1, 1))
    status = await room.task("uploadImage", asked(server), POOL, DOMAIN, IMAGE)
    assert (status["code"], status["taskResult"], server.methods) == (261, "cleanSuccess", [])


@pytest.mark.parametrize("length", [3 * MIB, 3 * MIB + 4711, 0, SIZE, SIZE + 4096, SIZE + 1])
@pytest_twisted.ensureDeferred
async def test_a_downloaded_image_is_stored_and_the_volume_grows_for_it(room, server, length):
    await room.pool()
    await room.volume(1)
    before = os.urandom(SIZE)
    data_of(room).write_bytes(before)
    server.content = os.urandom(length)
    await room.done("downloadImage", asked(server), POOL, DOMAIN, IMAGE, VOLUME)
    got, info = data_of(room).read_bytes(), await room.info(1)
    assert got[:length] == server.content and got[length:SIZE] == before[length:]
    wanted = SIZE if length <= SIZE else SIZE + 4096
    assert (len(got), info["capacity"], info["legality"]) == (wanted, str(wanted), "LEGAL")
    assert server.methods == ["HEAD", "GET"]


@pytest_twisted.ensureDeferred
async def test_a_qcow2_image_comes_back_as_it_went(room, server):
    await room.pool()
    await room.volume(1, form=4)
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 3M 1M", data_of(room)], check=True, capture_output=True)
    await room.done("uploadImage", asked(server), POOL, DOMAIN, IMAGE)
    server.content = bytes(server.taken)
    await room.volume(2, image=2, form=4)
    await room.done("downloadImage", asked(server), POOL, DOMAIN, uuid(3, 2))
    read = ["qemu-io", "-f", "qcow2", "-c", "read -P 7 3M 1M", data_of(room, 2, 2)]
    assert b"failed" not in subprocess.run(read, check=True, capture_output=True).stdout
    assert (await room.ask("checkStorageDomain", DOMAIN))["check"]["sound"]


@pytest_twisted.ensureDeferred
async def test_a_server_that_says_no_leaves_the_volume_as_it_was(room, server):
    await room.pool()
    await room.volume(1)
    before = os.urandom(SIZE)
    data_of(room).write_bytes(before)
    server.code = 404
    status = await room.task("downloadImage", asked(server), POOL, DOMAIN, IMAGE, VOLUME)
    assert (status["code"], status["taskResult"]) == (261, "cleanSuccess")
    assert "404" in status["message"]
    assert (data_of(room).read_bytes(), (await room.info(1))["legality"]) == (before, "LEGAL")


@pytest_twisted.ensureDeferred
async def test_data_that_stop_in_the_middle_are_never_taken_for_an_image(room, server):
    await room.pool()
    await room.volume(1)
    server.content, server.stop_after = os.urandom(SIZE), 4 * MIB
    moved, calls = Deferred(), []

    def hear(**told):
        written = told["progress"] or 0  # of 40 %: the last piece is held back until it is whole
        if written >= 30 and not calls:
            calls.append(reactor.callLater(0, moved.callback, None))

    room.events.listen("task.status", hear)
    task = (await room.ask("downloadImage", asked(server), POOL, DOMAIN, IMAGE, VOLUME))["uuid"]
    await moved
    await room.ask("stopTask", task)
    status = await room.wait(task)
    assert status["taskResult"] == "cleanSuccess"
    await server.gone
    assert (await room.info(1))["legality"] == "ILLEGAL"
    assert await room.code("prepareImage", POOL, DOMAIN, IMAGE, VOLUME) == 227
    server.stop_after = None
    await room.done("downloadImage", asked(server), POOL, DOMAIN, IMAGE, VOLUME)
    assert (await room.ask("prepareImage", POOL, DOMAIN, IMAGE, VOLUME))["path"]


@pytest_twisted.ensureDeferred
async def test_more_than_the_server_told_is_refused(room, server):
    await room.pool()
    await room.volume(1)
    server.content, server.short = os.urandom(4 * MIB), MIB
    status = await room.task("downloadImage", asked(server), POOL, DOMAIN, IMAGE, VOLUME)
    assert status["code"] == 261 and "more than the 1048576 bytes" in status["message"]


@pytest_twisted.ensureDeferred
async def test_what_is_asked_wrongly_is_refused_at_once(room, server):
    await room.pool()
    await room.volume(1)
    for wrong in ({}, {"method": "rsync", "url": "x"}, {"method": "http", "url": "file:///etc/passwd"}):
        assert await room.code("downloadImage", wrong, POOL, DOMAIN, IMAGE, VOLUME) == 1000
        assert await room.code("uploadImage", wrong, POOL, DOMAIN, IMAGE, VOLUME) == 1000
    assert await room.code("downloadImage", asked(server), POOL, DOMAIN, "../x", VOLUME) == 1000
    await room.volume(2, form=4, parent=(1, 1))
    status = await room.task("downloadImage", asked(server), POOL, DOMAIN, IMAGE, VOLUME)
    assert status["code"] == 100  # 213: its snapshot is based on it
    assert server.methods == []
    await room.ask("spmStop", POOL)
    assert await room.code("uploadImage", asked(server), POOL, DOMAIN, IMAGE) == 654


# without the space that is not used


async def to_sparsify(room, form=5):
    await room.pool()
    await room.volume(1, form=5)
    data_of(room).write_bytes(b"\1" * MIB + bytes(MIB) + b"\2" * MIB + bytes(SIZE - 3 * MIB))
    await room.volume(2, form=4, parent=(1, 1))
    await room.volume(3, image=3, form=form)


SPARSIFY = ("sparsifyImage", POOL, DOMAIN, IMAGE, uuid(4, 2), DOMAIN, uuid(3, 3), uuid(4, 3))


@pytest.fixture
def no_tool(monkeypatch, tmp_path):
    monkeypatch.setattr("virgate.node.storage.images.sparsifying.PROGRAM", "no-virt-sparsify")


@pytest.mark.parametrize("form", [4, 5])
@pytest_twisted.ensureDeferred
async def test_zeros_are_given_back_where_no_tool_looks_into_file_systems(room, no_tool, form):
    await to_sparsify(room, form)
    await room.done(*SPARSIFY)
    name = "raw" if form == 5 else "qcow2"
    compare = ["qemu-img", "compare", "-f", "raw", "-F", name, data_of(room), data_of(room, 3, 3)]
    assert subprocess.run(compare, capture_output=True).returncode == 0
    assert data_of(room, 3, 3).stat().st_blocks * 512 < 3 * MIB
    info = await room.info(3, image=3)
    assert (info["legality"], info["capacity"], info["generation"]) == ("LEGAL", str(SIZE), 1)
    assert (await room.ask("checkStorageDomain", DOMAIN))["check"]["sound"]


@pytest_twisted.ensureDeferred
async def test_the_tool_gets_source_scratch_and_target(room, monkeypatch, tmp_path):
    tool = tmp_path / "virt-sparsify"
    tool.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said\nfor last; do :; done\nprintf filled > "$last"\n')
    tool.chmod(0o755)
    monkeypatch.setattr("virgate.node.storage.images.sparsifying.PROGRAM", str(tool))
    await to_sparsify(room)
    await room.done(*SPARSIFY)
    said = [word.rpartition("/")[2] for word in (tmp_path / "said").read_text().split()]
    formats = ["--format", "raw", "--convert", "raw"]
    assert said == ["--machine-readable", "--tmp", uuid(4, 2), *formats, uuid(4, 1), uuid(4, 3)]
    tool.write_text("#!/bin/sh\necho no kernel >&2\nexit 1\n")
    status = await room.task(*SPARSIFY)
    assert (status["code"], "no kernel" in status["message"]) == (234, True)
    assert (await room.info(3, image=3))["legality"] == "ILLEGAL"


@pytest_twisted.ensureDeferred
async def test_a_target_that_is_not_sparse_is_refused(room, no_tool):
    await to_sparsify(room)
    await room.volume(5, image=5, allocation=1)
    status = await room.task(*SPARSIFY[:6], uuid(3, 5), uuid(4, 5))
    assert status["code"] == 233
    status = await room.task(*SPARSIFY[:4], uuid(4, 1), DOMAIN, uuid(3, 3), uuid(4, 3))
    assert status["code"] == 234  # nothing below the scratch volume
    assert await room.code(*SPARSIFY[:6], IMAGE, uuid(4, 3)) == 1000
