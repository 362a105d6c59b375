"""Vectors 49 to 54 of spec xmlrpc-host-vm 7, and what its section 1.8 says of JSON-RPC."""

import json

import pytest
import pytest_twisted

from virgate.api.verb import Family, Parameter, Reply, Verb
from virgate.api.wire import text
from virgate.node.vm.errors import NoSuchMachine
from virgate.stomp import Frame, Parser, encode


def given(talk, name, answer, *parameters, family=Family.HOST):
    async def run(node, **arguments):
        if isinstance(answer, Exception):
            raise answer
        return answer(**arguments) if callable(answer) else answer

    talk.api.verbs[name] = Verb(name, name, family, parameters, "", run)


def required(name):
    return Parameter(name, text, "string", True)


def test_49_headers_are_escaped_and_bodies_have_a_length():
    written = encode(Frame("SEND", {"reply-to": "a:b\\c\n"}, b'{"x":1}'))
    assert written == b'SEND\nreply-to:a\\cb\\\\c\\n\ncontent-length:7\n\n{"x":1}\0'


def test_50_the_first_of_repeated_headers_counts_escapes_are_undone_and_a_body_may_hold_nul():
    parser = Parser()
    parser.feed(b"SEND\na:1\na:2\nb:x\\cy\ncontent-length:3\n\n\0x\0\0")
    frame = parser.next()
    assert (frame.headers["a"], frame.headers["b"], frame.body) == ("1", "x:y", b"\0x\0")


@pytest_twisted.ensureDeferred
async def test_51_ping(talk):
    assert await talk.client.ask("Host.ping") == {"jsonrpc": "2.0", "id": "7", "result": True}


@pytest_twisted.ensureDeferred
async def test_52_a_batch_is_answered_with_an_array_failures_in_their_place(talk):
    given(talk, "VM.lost", NoSuchMachine("v1"))
    batch = [{"jsonrpc": "2.0", "method": name, "id": id} for id, name in enumerate(("Host.ping", "VM.lost"))]
    answer = await talk.client.raw(json.dumps([*batch, {"jsonrpc": "2.0", "method": "Host.ping"}, 7]).encode())
    assert [one["id"] for one in answer] == [0, 1, None]
    assert answer[0]["result"] is True
    assert answer[1]["error"] == {"code": 1, "message": "Virtual machine does not exist"}
    assert answer[2]["error"]["code"] == -32600


@pytest.mark.parametrize(
    ("body", "code", "id"),
    [
        (b"", -32700, None),
        (b"{", -32700, None),
        (b"\xff\xfe\xfd", -32700, None),
        (b'{"id": NaN}', -32700, None),
        (b"[" * 100_000, -32700, None),
        (b"1" * 5000, -32700, None),
        (b"[]", -32600, None),
        (json.dumps([1] * 1001).encode(), -32600, None),
        (b'"text"', -32600, None),
        (b'{"method": "Host.ping", "id": 3}', -32600, 3),
        (b'{"jsonrpc": "1.0", "method": "Host.ping", "id": 3}', -32600, 3),
        (b'{"jsonrpc": "2.0", "method": 1, "id": 3}', -32600, 3),
        (b'{"jsonrpc": "2.0", "method": "Host.ping", "params": "x", "id": 3}', -32600, 3),
        (b'{"jsonrpc": "2.0", "method": "Host.nosuch", "id": [1]}', -32601, [1]),
        (b'{"jsonrpc": "2.0", "method": "ping", "id": "a"}', -32601, "a"),
        (b'{"jsonrpc": "2.0", "method": "VM.destroy", "id": "a"}', -32602, "a"),
        (b'{"jsonrpc": "2.0", "method": "Host.ping", "params": [1], "id": "a"}', -32602, "a"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_53_what_is_no_request_is_told_with_its_code(talk, body, code, id):
    answer = await talk.client.raw(body)
    assert (answer["error"]["code"], answer["id"]) == (code, id)
    assert await talk.client.result("Host.ping") is True


@pytest_twisted.ensureDeferred
async def test_53_a_verb_that_breaks_is_an_internal_error_but_storage_has_codes_of_its_own(talk):
    given(talk, "Host.broken", ValueError("odd"))
    given(talk, "Volume.broken", ValueError("odd"), family=Family.STORAGE)
    assert await talk.client.code("Host.broken") == -32603
    assert await talk.client.code("Volume.broken") == 100


@pytest_twisted.ensureDeferred
async def test_53_a_result_that_json_has_no_form_of_is_an_internal_error(talk):
    given(talk, "Host.odd", Reply({"value": object()}))
    assert await talk.client.code("Host.odd") == -32603


@pytest_twisted.ensureDeferred
async def test_54_while_recovering_the_code_is_99(talk):
    talk.node.ready = False
    answer = await talk.client.ask("Host.ping")
    assert answer["error"] == {"code": 99, "message": "Recovering from crash or Initializing"}


@pytest_twisted.ensureDeferred
async def test_a_notification_is_done_and_not_answered(talk):
    done = []
    given(talk, "Host.note", lambda word: done.append(word), required("word"))
    for params in ({"word": "a"}, ["b"], {"wrong": "c"}):
        body = json.dumps({"jsonrpc": "2.0", "method": "Host.note", "params": params}).encode()
        talk.client.say("SEND", body, destination="jms.topic.vdsm_requests", reply_to="jms.topic.vdsm_responses")
    assert await talk.client.result("Host.ping") is True
    assert done == ["a", "b"]


@pytest_twisted.ensureDeferred
async def test_the_correlation_id_of_the_frame_is_the_caller_s(talk):
    seen = []

    async def run(node, who):
        seen.append(who)

    talk.api.verbs["who"] = Verb("Host.who", "who", Family.HOST, (), "", run, "who")
    await talk.client.ask("Host.who", ovirtCorrelationId="flow-7")
    assert (seen[0].flow, seen[0].peer, seen[0].local) == ("flow-7", "127.0.0.1", "127.0.0.1")


@pytest_twisted.ensureDeferred
async def test_integers_beyond_32_bits_null_and_bytes_can_be_told_here(talk):
    given(talk, "Host.wide", Reply({"a": 1 << 40, "b": None, "c": b"x"}))
    assert await talk.client.result("Host.wide") == {"a": 1 << 40, "b": None, "c": "eA=="}


MEMBERS = {"vmList": {"vmId": "1"}}
UNWRAPPED = [
    *((f"VM.{name}", MEMBERS, {"vmId": "1"}) for name in ("create", "changeCD", "hotplugDisk", "updateDevice")),
    *((f"VM.{name}", {"output": [""]}, {"vmList": {}}) for name in ("cont", "pause")),
    ("VM.getStats", {"statsList": [{}]}, [{}]),
    ("Host.getAllVmStats", {"statsList": []}, []),
    ("Host.getCapabilities", {"info": {"a": 1}}, {"a": 1}),
    ("VM.getMigrationStatus", {"progress": 5, "migrationStats": {"progress": 5}}, {"progress": 5}),
    ("VM.migrationCreate", {"migrationPort": 0, "params": {}}, {"migrationPort": 0, "params": {}}),
    ("VM.migrate", {"progress": 0}, True),
    ("VM.snapshot", {"quiesce": False}, True),
    ("VM.diskSizeExtend", {"size": "1"}, "1"),
    ("VM.getDiskAlignment", {"alignment": {}}, {}),
    ("Host.hostdevListByCaps", {"deviceList": {}}, {}),
    ("Host.getExternalVMs", {"vmList": []}, []),
    ("Host.getConvertedVm", {"ovf": "<x/>"}, "<x/>"),
    ("Host.fenceNode", {"power": "on"}, {"power": "on"}),
    ("Host.fenceNode", {"power": "unknown", "operationStatus": "initiated"}, None),
    ("StoragePool.getInfo", {"info": {}, "dominfo": {}}, None),
    ("Host.getStorageRepoStats", {"d1": {"code": 0}}, None),
    ("Host.getStorageRepoStats", {}, None),
    ("Volume.create", {"uuid": "t"}, "t"),
    ("Task.getStatus", {"taskStatus": {"code": 0}}, {"code": 0}),
    ("VM.destroy", {}, True),
]


@pytest.mark.parametrize(("method", "members", "result"), UNWRAPPED)
@pytest_twisted.ensureDeferred
async def test_a_result_is_the_payload_without_status(talk, method, members, result):
    for name in [name for name, found in talk.api.verbs.items() if found.name == method]:
        del talk.api.verbs[name]
    given(talk, method, Reply(members))
    assert await talk.client.result(method) == (members if result is None else result)
