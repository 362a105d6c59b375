"""Vectors 11 to 14 of spec xmlrpc-host-vm 7, on a real port over a real storage room."""

import json

import pytest
import pytest_twisted
from contract.storage.room import uuid
from contract.storage.streams import IDS, Port


@pytest_twisted.async_yield_fixture
async def port(room):
    await room.pool()
    await room.volume(1)
    made = await Port(room).start()
    yield made
    await made.stop()


@pytest_twisted.ensureDeferred
async def test_11_a_range_from_the_beginning_is_answered_with_206_and_exactly_its_bytes(room, port):
    (room.base / "dom1" / uuid(2) / "images" / uuid(3) / uuid(4)).write_bytes(b"hello, world")
    status, headers, body = await port.get(4)
    assert (status, body) == (206, b"hello")
    task = headers.pop("task-id")
    assert headers == {
        "content-type": "application/octet-stream",
        "content-length": "5",
        "content-range": "bytes 0-4",
    }
    assert (await room.ask("getTaskInfo", task))["TaskInfo"]["id"] == task
    assert (await room.wait(task))["taskResult"] == "success"


@pytest.mark.parametrize("range", [None, "bytes=1-4", "bytes=0-", "bytes=-4", "0-4", "bytes=0-4,6-8", "bytes=0-x"])
@pytest_twisted.ensureDeferred
async def test_12_without_a_proper_range_a_get_is_400(port, range):
    client = await port.connect()
    client.ask("GET", IDS | ({} if range is None else {"Range": range}))
    status, headers, body = await client.reply()
    assert (status, headers["content-length"], headers["connection"], body) == (400, "0", "close", b"")


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("value", [None, ""])
@pytest_twisted.ensureDeferred
async def test_12_a_missing_or_empty_id_is_400(port, method, name, value):
    client = await port.connect()
    ids = {**IDS, name: value} if value is not None else {key: id for key, id in IDS.items() if key != name}
    client.ask(method, ids | {"Range": "bytes=0-4", "Content-Length": 0})
    status, headers, _ = await client.reply()
    assert (status, headers["content-length"], headers["connection"]) == (400, "0", "close")


@pytest_twisted.ensureDeferred
async def test_13_what_storage_says_is_a_500_with_the_status_as_json(port):
    for status, headers, body in (await port.get(4, Volume_Id=uuid(4, 9)), await port.put(b"x", Volume_Id=uuid(4, 9))):
        assert (status, headers["content-type"], headers["connection"]) == (500, "application/json", "close")
        answer = json.loads(body)
        assert set(answer) == {"status"}
        assert answer["status"]["code"] == 201
        assert uuid(4, 9) in answer["status"]["message"]


@pytest.mark.parametrize(
    ("lengths", "status"), [({}, 411), ({"Content-Length": "x"}, 400), ({"Content-Length": "-5"}, 400)]
)
@pytest_twisted.ensureDeferred
async def test_14_a_put_that_does_not_say_how_much_is_refused(port, lengths, status):
    client = await port.connect()
    client.ask("PUT", IDS | lengths)
    answered, headers, body = await client.reply()
    assert (answered, headers["content-length"], headers["connection"], body) == (status, "0", "close", b"")


@pytest_twisted.ensureDeferred
async def test_14_a_put_is_answered_when_its_bytes_are_stored(room, port):
    status, headers, body = await port.put(b"hello, world")
    assert (status, headers["content-length"], body) == (200, "0", b"")
    stored = (room.base / "dom1" / uuid(2) / "images" / uuid(3) / uuid(4)).read_bytes()
    assert stored == b"hello, world".ljust(10485760, b"\0")
    assert (await room.wait(headers["task-id"]))["taskResult"] == "success"
