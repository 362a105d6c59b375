"""Volumes over HTTP: real port, real helpers; clients that leave, wait or are wrong; storage that is slow or broken."""

import errno
import hashlib
import json
import os

import pytest
import pytest_twisted
from contract.storage.room import BLANK, POOL, Room, uuid
from contract.storage.streams import IDS, Port
from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import deferLater

from virgate.node.storage.assembling import OPERATIONS
from virgate.node.storage.images.transfer import PIECE
from virgate.run.helper import Helpers

DOMAIN, IMAGE, VOLUME = uuid(2), uuid(3), uuid(4)
MIB = 1 << 20
SIZE = 24 * MIB


class Watched:
    """Helpers that count the pieces of data and can let one of them wait or fail."""

    def __init__(self):
        self.real = Helpers(OPERATIONS)
        self.pieces = []
        self.fail_at = self.stop_at = None
        self.stopped, self.go_on = Deferred(), Deferred()

    def __getitem__(self, key):
        helper = self.real[key]

        def call(operation, *args, timeout=None):
            if operation not in ("read_data", "write_data"):
                return helper.call(operation, *args, timeout=timeout)
            self.pieces.append(operation)
            if len(self.pieces) == self.fail_at:
                return fail(OSError(errno.ENOSPC, "No space left on device"))
            if len(self.pieces) != self.stop_at:
                return helper.call(operation, *args, timeout=timeout)
            reactor.callLater(0, self.stopped.callback, None)
            return self.go_on.addCallback(lambda _: helper.call(operation, *args, timeout=timeout))

        return type("Proxy", (), {"call": staticmethod(call)})

    async def drop(self, key):
        await self.real.drop(key)

    async def close(self):
        await self.real.close()


@pytest.fixture
def helpers():
    return Watched()


@pytest_twisted.async_yield_fixture
async def house(tmp_path, helpers):
    made = await Room(tmp_path, helpers=helpers).start()
    await made.pool()
    await made.volume(1, size=str(SIZE))
    yield made
    await made.stop()


@pytest_twisted.async_yield_fixture
async def port(house):
    made = await Port(house).start()
    yield made
    await made.stop()


def data_of(room, volume=VOLUME, image=IMAGE):
    return room.base / "dom1" / DOMAIN / "images" / image / volume


def journal(room):
    return sorted(path.name for path in (room.base / "dom1" / DOMAIN / "master" / "tasks").iterdir())


def ends_of(room):
    """(state, result, code) of each task that ended, as the event bus tells them; and one that waits for the next."""
    ends, waiting = [], []

    def hear(event):
        if event["state"] == "finished":
            ends.append((event["verb"], event["result"], event["code"]))
            while waiting:
                waiting.pop().callback(None)

    room.events.listen("task.status", lambda **told: hear(told))

    async def ended(number=1):
        while len(ends) < number:
            waiting.append(Deferred())
            await waiting[-1]
        return ends

    return ended


def code(answer):
    status, headers, body = answer
    assert (status, headers["content-type"]) == (500, "application/json"), answer
    return json.loads(body)["status"]["code"]


@pytest_twisted.ensureDeferred
async def test_what_was_put_is_stored_and_got_back_byte_by_byte(house, port):
    before = os.urandom(SIZE)
    data_of(house).write_bytes(before)
    sent = os.urandom(20 * MIB + 4711)  # more than a call may have
    status, headers, _ = await port.put(sent)
    assert (status, (await house.wait(headers["task-id"]))["taskResult"]) == (200, "success")
    assert hashlib.sha256(data_of(house).read_bytes()).digest() == hashlib.sha256(sent + before[len(sent) :]).digest()
    status, headers, got = await port.get(len(sent) - 1)
    assert (status, hashlib.sha256(got).digest()) == (206, hashlib.sha256(sent).digest())
    await house.wait(headers["task-id"])
    assert (await house.info())["capacity"] == str(SIZE)
    assert journal(house) == []


@pytest_twisted.ensureDeferred
async def test_puts_gets_and_calls_share_a_connection(house, port):
    client = await port.connect()
    ping = b"<?xml version='1.0'?><methodCall><methodName>ping</methodName><params></params></methodCall>"
    for method, headers, body in (
        ("PUT", IDS | {"Content-Length": 5}, b"hello"),
        ("GET", IDS | {"Range": "bytes=0-2"}, b""),
        ("POST", {"Content-Length": len(ping)}, ping),
        ("GET", IDS | {"Range": "bytes=0-4", "Connection": "close"}, b""),
    ):
        client.ask(method, headers, body)
    assert [status for status, _, _ in (await client.reply(), await client.reply(), await client.reply())] == [
        200,
        206,
        200,
    ]
    assert (await client.reply())[2] == b"hello"
    await client.until(lambda: client.lost)


@pytest_twisted.ensureDeferred
async def test_without_a_volume_the_leaf_is_meant_and_a_named_one_is_taken(house, port):
    await house.volume(2, form=4, parent=(1, 1))
    data_of(house).write_bytes(b"base".ljust(SIZE, b"\0"))
    assert (await port.get(3))[2] == b"QFI\xfb"
    assert (await port.get(3, Volume_Id=VOLUME))[2] == b"base"
    assert (await port.get(3, Volume_Id=BLANK))[2] == b"QFI\xfb"
    before = data_of(house).read_bytes()
    assert code(await port.put(b"x", Volume_Id=VOLUME)) == 213
    assert data_of(house).read_bytes() == before


@pytest_twisted.ensureDeferred
async def test_a_template_is_read_in_every_image_and_written_in_none(house, port):
    data_of(house).write_bytes(b"base".ljust(SIZE, b"\0"))
    await house.volume(2, image=2, form=4, parent=(1, 1))
    clone = {"Image_Id": uuid(3, 2), "Volume_Id": VOLUME}
    assert (await port.get(3, **clone))[2] == b"base"
    assert [code(await port.put(b"x")), code(await port.put(b"x", **clone))] == [213, 213]
    assert data_of(house).read_bytes()[:4] == b"base"


@pytest_twisted.ensureDeferred
async def test_a_raw_volume_grows_by_a_longer_body_and_a_file_of_qcow2_too(house, port):
    sent = os.urandom(SIZE + 1)
    assert (await port.put(sent))[0] == 200
    info = await house.info()
    assert (info["capacity"], info["apparentsize"]) == (str(SIZE + 4096), str(SIZE + 4096))
    assert data_of(house).read_bytes() == sent.ljust(SIZE + 4096, b"\0")
    await house.volume(2, image=2, form=4, size=str(SIZE))
    path = data_of(house, uuid(4, 2), uuid(3, 2))
    longer = path.read_bytes() + os.urandom(MIB)
    assert (await port.put(longer, Image_Id=uuid(3, 2)))[0] == 200
    assert path.read_bytes() == longer
    assert (await house.info(2, image=2))["capacity"] == str(SIZE)


@pytest_twisted.ensureDeferred
async def test_data_that_are_not_to_be_trusted_are_filled_but_not_given(house, port):
    await house.ask("setVolumeLegality", DOMAIN, POOL, IMAGE, VOLUME, "ILLEGAL")
    assert (await port.put(b"hello"))[0] == 200
    assert code(await port.get(4)) == 227
    await house.ask("setVolumeLegality", DOMAIN, POOL, IMAGE, VOLUME, "LEGAL")
    assert (await port.get(4))[2] == b"hello"


@pytest_twisted.ensureDeferred
async def test_a_volume_ends_where_it_ends(house, port):
    status, _, body = await port.get(SIZE - 1)
    assert (status, len(body)) == (206, SIZE)
    assert code(await port.get(SIZE)) == 1000
    data_of(house).unlink()
    assert code(await port.get(0)) == 1000
    ended = ends_of(house)
    assert code(await port.put(b"x")) == 206
    assert await ended() == [("downloadImage", "cleanSuccess", 206)]


@pytest_twisted.ensureDeferred
async def test_nothing_is_a_body_too(house, port):
    assert (await port.put(b""))[0] == 200
    assert data_of(house).stat().st_blocks == 0


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Storage_Pool_Id", uuid(9), 309),
        ("Storage_Domain_Id", uuid(2, 9), 358),
        ("Storage_Domain_Id", "../../etc", 358),
        ("Image_Id", uuid(3, 9), 268),
        ("Image_Id", "..", 1000),
        ("Image_Id", uuid(3).upper(), 1000),
        ("Volume_Id", uuid(4, 9), 201),
        ("Volume_Id", "../../../../../etc/passwd", 1000),
    ],
)
@pytest_twisted.ensureDeferred
async def test_ids_of_nothing_are_told_with_their_codes_and_leave_no_task(house, port, name, value, expected):
    answers = (await port.get(4, **{name: value}), await port.put(b"hello", **{name: value}))
    assert [code(answer) for answer in answers] == [expected, expected]
    assert (await house.ask("getAllTasksStatuses"))["allTasksStatus"] == {}
    assert journal(house) == []


@pytest_twisted.ensureDeferred
async def test_only_the_spm_moves_data(house, port):
    await house.ask("spmStop", POOL)
    assert [code(await port.get(4)), code(await port.put(b"hello"))] == [654, 654]
    await house.ask("disconnectStoragePool", POOL, 1, POOL)
    assert [code(await port.get(4)), code(await port.put(b"hello"))] == [309, 309]
    house.node.broken = True
    broken = await Port(house).start()
    try:
        assert [code(await broken.get(4)), code(await broken.put(b"hello"))] == [99, 99]
    finally:
        await broken.stop()


@pytest_twisted.ensureDeferred
async def test_pages_of_the_web_move_nothing(house, port):
    assert (await port.get(4, Origin="http://example.org"))[0] == 403
    assert (await port.put(b"hello", Origin="null"))[0] == 403


@pytest_twisted.ensureDeferred
async def test_storage_is_read_no_faster_than_the_client_takes(house, port, helpers):
    client = await port.connect()
    client.transport.pauseProducing()
    client.ask("GET", IDS | {"Range": f"bytes=0-{SIZE - 1}"})
    helpers.stop_at = 100
    await until_steady(helpers)
    assert len(helpers.pieces) < SIZE // PIECE
    client.transport.resumeProducing()
    status, _, body = await client.reply()
    assert (status, len(body), len(helpers.pieces)) == (206, SIZE, SIZE // PIECE)


async def until_steady(helpers):
    """Waits until no more pieces are asked for: kernel buffers between the ends are full."""
    steady, seen = 0, 0
    while steady < 20:
        await deferLater(reactor, 0.01)
        steady = steady + 1 if len(helpers.pieces) == seen and seen else 0
        seen = len(helpers.pieces)


@pytest_twisted.ensureDeferred
async def test_a_client_is_taken_no_more_from_than_storage_stores(house, port, helpers):
    helpers.stop_at = 1
    client = await port.connect()
    client.ask("PUT", IDS | {"Content-Length": SIZE}, bytes(SIZE))
    await helpers.stopped
    await until_steady(helpers)
    waiting = sum(len(piece) for piece in client.transport._tempDataBuffer) + len(client.transport.dataBuffer)
    assert waiting - client.transport.offset > SIZE // 2
    helpers.go_on.callback(None)
    assert (await client.reply())[0] == 200


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_a_put_ends_its_task_and_frees_the_image(house, port, helpers, until):
    ended = ends_of(house)
    client = await port.connect()
    client.ask("PUT", IDS | {"Content-Length": SIZE}, b"x" * (3 * MIB))
    await until(lambda: len(helpers.pieces) == 3)
    client.transport.abortConnection()
    assert await ended() == [("downloadImage", "cleanSuccess", 411)]
    assert (await port.put(b"hello"))[0] == 200
    assert data_of(house).read_bytes()[: 3 * MIB] == b"hello".ljust(3 * MIB, b"x")
    await until(lambda: len(journal(house)) == 1)


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_a_get_ends_a_task_that_stays_listed(house, port, helpers):
    ended = ends_of(house)
    client = await port.connect()
    client.transport.pauseProducing()
    client.ask("GET", IDS | {"Range": f"bytes=0-{SIZE - 1}"})
    await until_steady(helpers)
    (task,) = (await house.ask("getAllTasksStatuses"))["allTasksStatus"]
    client.transport.abortConnection()
    assert await ended() == [("uploadImage", "cleanSuccess", 411)]
    assert (await house.wait(task))["code"] == 411
    assert journal(house) == []


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_while_it_waits_for_the_image_leaves_nothing(house, port, helpers, until):
    helpers.stop_at = 1
    reading = await port.connect()
    reading.ask("GET", IDS | {"Range": "bytes=0-4"})
    await helpers.stopped
    ended = ends_of(house)
    writing = await port.connect()
    writing.ask("PUT", IDS | {"Content-Length": 5}, b"hello")
    await until(lambda: len(house.tasks.busy()) == 2)
    writing.transport.abortConnection()
    assert await ended() == [("downloadImage", "cleanSuccess", 411)]
    helpers.go_on.callback(None)
    assert (await reading.reply())[2] == bytes(5)
    await until(lambda: len(journal(house)) == 1)


@pytest_twisted.ensureDeferred
async def test_readers_share_an_image_and_a_writer_waits_for_them(house, port, helpers, until):
    helpers.stop_at = 1
    first = await port.connect()
    first.ask("GET", IDS | {"Range": "bytes=0-4"})
    await helpers.stopped
    assert (await port.get(4))[2] == bytes(5)
    writing = await port.connect()
    writing.ask("PUT", IDS | {"Content-Length": 5}, b"hello")
    await until(lambda: len(house.tasks.busy()) == 2)
    helpers.go_on.callback(None)
    assert (await first.reply())[2] == bytes(5)
    assert (await writing.reply())[0] == 200
    assert helpers.pieces == ["read_data", "read_data", "write_data"]


@pytest_twisted.ensureDeferred
async def test_who_stops_the_task_sees_its_end_and_the_client_sees_that_it_failed(house, port, helpers):
    client = await port.connect()
    client.ask("PUT", IDS | {"Content-Length": SIZE}, b"x" * MIB)
    await until_steady(helpers)
    (task,) = (await house.ask("getAllTasksStatuses"))["allTasksStatus"]
    await house.ask("stopTask", task)
    assert code(await client.reply()) == 411
    status = await house.wait(task)
    assert (status["code"], status["taskResult"]) == (411, "cleanSuccess")


@pytest_twisted.ensureDeferred
async def test_a_get_whose_task_is_stopped_is_cut_off(house, port, helpers):
    helpers.stop_at = 3
    client = await port.connect()
    client.ask("GET", IDS | {"Range": f"bytes=0-{SIZE - 1}"})
    status, headers = await client.head()
    await helpers.stopped
    await house.ask("stopTask", headers["task-id"])
    body = await client.body(SIZE)
    assert (status, client.lost) == (206, True)
    assert len(body) == 2 * PIECE


@pytest_twisted.ensureDeferred
async def test_storage_that_fails_in_the_middle_is_told_to_a_put_and_cuts_a_get(house, port, helpers):
    helpers.fail_at = 2
    assert code(await port.put(bytes(3 * MIB))) == 261
    assert journal(house) == []
    helpers.fail_at = len(helpers.pieces) + 2
    status, headers, body = await port.get(SIZE - 1)
    assert (status, len(body)) == (206, PIECE)
    assert (await house.wait(headers["task-id"]))["code"] == 261


@pytest_twisted.ensureDeferred
async def test_the_next_spm_ends_what_a_crash_cut_off(tmp_path, house, port, helpers, until):
    client = await port.connect()
    client.ask("PUT", IDS | {"Content-Length": SIZE + MIB}, b"x" * MIB)
    await until(lambda: helpers.pieces)
    (task,) = journal(house)
    await house.die()
    room = await Room(tmp_path).start()
    try:
        await room.connect()
        await room.start_spm()
        await room.tasks.find(task).done()
        status = (await room.ask("getTaskStatus", task))["taskStatus"]
        assert (status["taskState"], status["taskResult"]) == ("finished", "cleanSuccess")
        info = await room.info()
        assert (info["capacity"], info["apparentsize"]) == (str(SIZE + MIB), str(SIZE + MIB))
    finally:
        await room.stop()


@pytest_twisted.ensureDeferred
async def test_a_port_that_closes_ends_transfers_that_do_not_end(house, helpers):
    port = await Port(house).start("daemon.drain=0.1")
    ended = ends_of(house)
    client = await port.connect()
    client.ask("PUT", IDS | {"Content-Length": SIZE}, b"x" * MIB)
    await until_steady(helpers)
    await port.stop()
    assert await ended() == [("downloadImage", "cleanSuccess", 411)]
    assert client.lost
