"""Vectors 1 to 10, 41 and 42 of spec xmlrpc-host-vm 7, and the conventions of spec xmlrpc-storage 1."""

import gzip
import xmlrpc.client

import pytest
import pytest_twisted

from virgate.api.verb import Family, Parameter, Reply, Verb
from virgate.api.wire import flag, text, uuid
from virgate.node.host.rates import stat_text

PING = b"<?xml version='1.0'?>\n<methodCall><methodName>ping</methodName><params></params></methodCall>"


def given(talk, name, answer, *parameters, family=Family.HOST):
    async def run(node, **arguments):
        return answer(**arguments) if callable(answer) else answer

    talk.api.verbs[name] = Verb(f"T.{name}", name, family, parameters, "", run)


@pytest.mark.parametrize("path", ["/", "/RPC2"])
@pytest_twisted.ensureDeferred
async def test_1_ping_is_answered_on_both_paths(talk, path):
    status, headers, body = await talk.post(PING, path)
    assert status == "HTTP/1.1 200 OK"
    assert headers["content-type"] == "text/xml"
    assert int(headers["content-length"]) == len(body)
    assert body.startswith(b"<?xml version='1.0'?>\n")
    (answer,), method = xmlrpc.client.loads(body)
    assert (answer, method) == ({"status": {"code": 0, "message": "Done"}}, None)
    assert b"<name>code</name>\n<value><int>0</int></value>" in body


@pytest.mark.parametrize("path", ["/x", "/RPC2/", "/rpc2", "/RPC2?a=b", "//", "/RPC2x"])
@pytest_twisted.ensureDeferred
async def test_2_no_other_path_exists(talk, path):
    status, headers, body = await talk.post(PING, path)
    assert (status, headers["content-type"], body) == ("HTTP/1.1 404 Not Found", "text/plain", b"No such page")


@pytest_twisted.ensureDeferred
async def test_3_an_unknown_method_is_fault_1(talk):
    with pytest.raises(xmlrpc.client.Fault, match=r"nosuch.*not supported") as error:
        await talk.call("nosuch")
    assert error.value.faultCode == 1


@pytest_twisted.ensureDeferred
async def test_4_too_few_arguments_are_code_16_and_no_fault(talk):
    given(talk, "destroy", Reply(), Parameter("vmId", text, "string", True))
    assert (await talk.call("destroy"))["status"]["code"] == 16


@pytest_twisted.ensureDeferred
async def test_6_nil_is_accepted_and_means_the_default(talk):
    optional = Parameter("delay", text, "string", False, "60")
    given(talk, "echo", lambda vmId, delay: Reply({"delay": delay}), Parameter("vmId", text, "string", True), optional)
    assert (await talk.call("echo", "v1", None))["delay"] == "60"


@pytest_twisted.ensureDeferred
async def test_8_every_host_and_machine_verb_answers_99_while_recovering(talk):
    talk.node.ready = False
    for name, found in talk.api.verbs.items():
        if found.family is Family.HOST and not found.always_ready:
            status = (await talk.call(name))["status"]
            assert status == {"code": 99, "message": "Recovering from crash or Initializing"}, name


@pytest.mark.parametrize("value", [None, 2147483648, -2147483649, {"deep": [None]}, object()])
@pytest_twisted.ensureDeferred
async def test_9_a_reply_that_old_clients_cannot_read_is_fault_1(talk, value):
    given(talk, "odd", Reply({"value": value}))
    with pytest.raises(xmlrpc.client.Fault) as error:
        await talk.call("odd")
    assert error.value.faultCode == 1


@pytest_twisted.ensureDeferred
async def test_9_the_largest_integers_are_answered(talk):
    given(talk, "even", Reply({"least": -2147483648, "most": 2147483647}))
    answer = await talk.call("even")
    assert (answer["least"], answer["most"]) == (-2147483648, 2147483647)


@pytest.mark.parametrize(("size", "packed"), [(500, False), (2000, True)])
@pytest_twisted.ensureDeferred
async def test_10_replies_over_1400_bytes_are_packed_for_who_accepts_it(talk, size, packed):
    given(talk, "long", Reply({"text": "x" * size}))
    call = xmlrpc.client.dumps((), "long").encode()
    for offer, expected in (("gzip", packed), ("gzip;q=0", False), ("deflate", False)):
        _, headers, body = await talk.post(call, "/RPC2", f"Accept-Encoding: {offer}")
        assert ("content-encoding" in headers) is expected
        answer = xmlrpc.client.loads(gzip.decompress(body) if expected else body)[0][0]
        assert answer["text"] == "x" * size


@pytest.mark.parametrize(
    ("given", "expected"),
    list(zip([True, "True", 1, 0, "yes", "", 2], [True, True, True, False, False, False, True], strict=True)),
)
def test_41_what_counts_as_true(given, expected):
    assert flag(given) is expected


@pytest.mark.parametrize(("given", "expected"), [(1.0, "1.00"), (2, "2"), (True, True), ("x", "x")])
def test_42_how_figures_become_strings(given, expected):
    assert stat_text(given) == expected
    assert type(stat_text(given)) is type(expected)


@pytest.mark.parametrize(
    "body", [b"", b"<methodCall>", b"\x00", b"{}", PING + b"<more/>", PING.replace(b"ping", b"p\x01")]
)
@pytest_twisted.ensureDeferred
async def test_malformed_xml_is_fault_1(talk, body):
    _, _, answer = await talk.post(body)
    with pytest.raises(xmlrpc.client.Fault) as error:
        xmlrpc.client.loads(answer)
    assert error.value.faultCode == 1


@pytest_twisted.ensureDeferred
async def test_c2_storage_success_says_ok(talk):
    given(talk, "s", Reply({"uuid": "t1"}), family=Family.STORAGE)
    assert await talk.call("s") == {"status": {"code": 0, "message": "OK"}, "uuid": "t1"}


@pytest_twisted.ensureDeferred
async def test_c12_an_upper_case_id_is_1000_in_a_storage_verb(talk):
    given(talk, "s", Reply(), Parameter("sdUUID", uuid, "uuid", True), family=Family.STORAGE)
    for wrong in ("A" * 8 + "-0000-0000-0000-000000000000", "", "x"):
        assert (await talk.call("s", wrong))["status"]["code"] == 1000


@pytest_twisted.ensureDeferred
async def test_c8_a_wrong_count_is_16_in_a_storage_verb(talk):
    given(talk, "s", Reply(), Parameter("sdUUID", uuid, "uuid", True), family=Family.STORAGE)
    assert (await talk.call("s"))["status"]["code"] == 16


@pytest_twisted.ensureDeferred
async def test_every_verb_that_is_not_built_says_so(talk):
    unbuilt = [name for name, found in talk.api.verbs.items() if not found.built]
    for name in unbuilt:
        assert (await talk.call(name, "any", 1))["status"]["code"] == 44, name


@pytest_twisted.ensureDeferred
async def test_the_introspection_of_the_reference_is_there_and_multicall_is_not(talk):
    methods = await talk.call("system.listMethods")
    assert {"ping", "create", "system.listMethods", "system.methodHelp", "system.methodSignature"} <= set(methods)
    assert "system.multicall" not in methods
