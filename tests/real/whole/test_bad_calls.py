"""Whatever a client sends, the daemon answers with a code or a fault that says why, and goes on."""

import base64
import os
import socket
import ssl
import xmlrpc.client
from contextlib import ExitStack, suppress

import pytest
from real.whole.house import BLANK, new_id

import virgate.api.verbs  # noqa: F401 (declares the verbs)
from virgate.api.verb import verbs

BUILT = {name: verb for name, verb in verbs().items() if verb.built and name != "prepareForShutdown"}
ENDS_THE_POOL = {"disconnectStoragePool", "destroyStoragePool", "spmStop", "fenceSpmStorage", "refreshStoragePool"}
LEAVES = ENDS_THE_POOL | {"formatStorageDomain", "detachStorageDomain", "forcedDetachStorageDomain"}
QUIET = {"disconnectStoragePool", "startMonitoringDomain", "stopMonitoringDomain"}
"""Success with an unknown id: there is nothing left to do, or it is watched until it appears."""
IDS = ("vm", "task", "pool", "domain", "image", "volume", "leaf", "ancestor", "successor", "master")
IDS += ("new_domain", "new_image", "new_volume")
SERVERS = {"connectStorageServer", "disconnectStorageServer"}
"""Their pool is not looked at, as storage may be connected before there is one."""
USUAL = {"form": 5, "allocation": 2, "size": "1048576", "legality": "LEGAL", "which": "ALL", "version": "5"}
USUAL |= {"operation": 1, "disk_type": "DATA", "role": 6}
USUAL |= {"block_size": 512}
NOTHING = {"string": "", "integer": 1, "boolean": False, "struct": {}, "array": [], "any": "", "uuid": BLANK}
REFUSED_FIRST = {"downloadImage", "uploadImage", "moveMultipleImages", "sparsifyImage", "prepareMerge", "finalizeMerge"}
"""What they are to do says nothing with empty arguments, which is told before anybody looks for the ids."""
LOOKED_AT_FIRST = {"monitorCommand": 44, "vmUpdateDevice": 11, "getDiskAlignment": 44}
"""What is wrong whatever the machine: monitors are closed, no device is named, alignment is of disks without one."""
MISSING_KEYS = {"discoverSendTargets"}
"""A connection without its keys is told as an unexpected exception (spec xmlrpc-storage 3.8)."""


def arguments(verb, known):
    found = []
    for parameter in verb.parameters:
        usual = new_id() if parameter.name in IDS else USUAL.get(parameter.name, NOTHING[parameter.kind])
        found.append(known.get(parameter.name, usual))
    return found


def with_ids(*names):
    return [name for name, verb in BUILT.items() if names[0] in {parameter.name for parameter in verb.parameters}]


@pytest.mark.parametrize("name", with_ids("vm"))
def test_an_unknown_machine_is_code_1(house, name):
    answer = house.call(name, *arguments(BUILT[name], {}))["status"]
    if name in LOOKED_AT_FIRST:
        assert answer["code"] == LOOKED_AT_FIRST[name]
    else:
        assert answer == {"code": 1, "message": "Virtual machine does not exist"}


@pytest.mark.parametrize("name", with_ids("task"))
def test_an_unknown_task_is_code_401(house, name):
    assert house.code(name, *arguments(BUILT[name], {})) == 401


@pytest.mark.parametrize("name", sorted({*with_ids("pool"), *with_ids("domain")} - QUIET - SERVERS - {"desktopLogin"}))
def test_unknown_ids_of_storage_have_the_code_of_what_is_missing(house, name):
    verb = BUILT[name]
    answer = house.call(name, *arguments(verb, {"type": 4, "remote": "/nowhere"}))["status"]
    others = {"createStorageDomain": (360,), "createStoragePool": (358, 1000), "reconstructMaster": (358, 1000)}
    others |= dict.fromkeys(REFUSED_FIRST, (309, 323, 358, 1000))
    assert answer["code"] in others.get(name, (309, 323, 358)), answer
    known = {"pool": house.pool, "domain": house.domain}
    if "image" in {parameter.name for parameter in verb.parameters} and name != "createVolume":
        answer = house.call(name, *arguments(verb, known))["status"]
        assert answer["code"] in (0, 201, 206, 254, 268, 358, *((1000,) if name in REFUSED_FIRST else ())), answer
        tasks = house.ask("getAllTasks")["tasks"]
        for task in tasks:
            ended = house.wait(task)
            assert ended["taskResult"] != "success" or name in ("deleteVolume",), ended


WRONG = ({}, [], [1], [[]], [{}], "", "x", -1, 1.5, True, 2**31 - 1, "../..", {"a": [{}]}, "\u20ac\n\t=", "x" * 9000)


@pytest.mark.parametrize("name", sorted(set(BUILT) - LEAVES - {"setLogLevel", "upgradeStoragePool"}))
def test_arguments_of_any_type_are_taken_or_refused_and_surprise_nobody(house, name):
    verb = BUILT[name]
    known = {"pool": house.pool, "domain": house.domain, "master": house.domain, "type": 4}
    for place, parameter in enumerate(verb.parameters):
        for wrong in WRONG:
            given = arguments(verb, known)
            given[place] = wrong
            status = house.call(name, *given)["status"]
            surprised = "Unexpected exception" in status["message"]
            assert not surprised or name in MISSING_KEYS, (parameter.name, wrong, status)
    for task in house.ask("getAllTasks")["tasks"]:
        house.wait(task)


@pytest.mark.parametrize("name", sorted(BUILT))
def test_too_few_and_too_many_arguments_name_the_verb_and_the_number(house, name):
    most = len(BUILT[name].parameters)
    least = sum(parameter.required for parameter in BUILT[name].parameters)
    for count in {least - 1, most + 1} - {-1}:
        status = house.call(name, *[""] * count)["status"]
        assert status["code"] == 16
        assert status["message"].startswith(f"{name} takes ")
        assert status["message"].endswith(f"arguments, not {count}")


def test_verbs_that_are_not_built_answer_so_and_unknown_names_are_faults(house):
    missing = [name for name, verb in verbs().items() if not verb.built]
    assert {house.code(name) for name in missing} == {44}
    with pytest.raises(xmlrpc.client.Fault) as fault:
        house.call("createUnicorn")
    assert fault.value.faultCode == 1


# -- what comes through the door


def post(house, body, *headers):
    """One request on a connection of its own; what is answered, up to the end or to the first piece of a refusal."""
    head = ["POST / HTTP/1.1", "Host: x", "Connection: close", "Content-Type: text/xml", *headers]
    if not any(header.lower().startswith("content-length") for header in headers):
        head.append(f"Content-Length: {len(body)}")
    with socket.create_connection(("127.0.0.1", house.port), 10) as client:
        client.sendall("\r\n".join([*head, "", ""]).encode())
        answer = b""
        with suppress(ConnectionError):
            client.sendall(body)
            while piece := client.recv(1 << 16):
                answer += piece
                if answer.startswith(b"HTTP/1.1 4"):
                    break
        return answer


BODIES = {
    "nothing": b"",
    "no XML": b"ping",
    "cut": b"<methodCall><methodName>ping</metho",
    "another document": b"<html/>",
    "no name": b"<methodCall><params/></methodCall>",
    "an unknown type": b"<methodCall><methodName>ping</methodName><params><param><value><bird>1</bird></value></param>"
    b"</params></methodCall>",
    "a bad integer": b"<methodCall><methodName>ping</methodName><params><param><value><int>1e9</int></value></param>"
    b"</params></methodCall>",
    "entities": b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><methodCall><methodName>&b;</methodName>'
    b"</methodCall>",
    "an external entity": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><methodCall><methodName>&a;</methodName>'
    b"</methodCall>",
    "deep": b"<methodCall><methodName>ping</methodName><params><param>" + b"<value><array><data>" * 5000,
    "bytes": bytes(range(256)) * 20,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_malformed_call_is_a_fault_and_tells_nothing_of_the_host(house, body):
    answer = post(house, body)
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
    assert b"<fault>" in answer
    assert b"root:" not in answer
    assert b"Traceback" not in answer


def test_a_body_over_the_limit_is_413_before_it_is_sent_and_after(house):
    assert post(house, b"", f"Content-Length: {1 << 40}").startswith(b"HTTP/1.1 413 ")
    size = (16 << 20) + 1
    assert post(house, b" " * size)[:13] in (b"HTTP/1.1 413 ", b"")
    assert post(house, b"x", "Content-Length: -1").startswith(b"HTTP/1.1 400 ")


def test_a_body_near_the_limit_is_read(house):
    body = xmlrpc.client.dumps(("x" * (15 << 20),), "getVmStats").encode()
    assert b"Virtual machine does not exist" in post(house, body)


def test_hundreds_of_silent_and_half_sent_connections_hold_up_nobody(house):
    with ExitStack() as stack:
        for number in range(300):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", house.port), 5))
            client.sendall((b"", b"POST / HT", b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n<meth")[number % 3])
        house.goes_on()


def test_tls_that_stops_half_way_holds_up_nobody_and_plain_calls_get_no_answer(own, tmp_path):
    pki = tmp_path / "state/pki"
    done = own.virgate("pki", "init", "--folder", str(pki))
    assert done.returncode == 0, done.stderr
    context = ssl.create_default_context(cafile=pki / "ca.pem")
    context.check_hostname = False
    context.load_cert_chain(*client_files(pki))
    own.api = xmlrpc.client.ServerProxy(f"https://127.0.0.1:{own.port}/", context=context, allow_none=True)
    own.start("--set=xmlrpc.tls=true")
    hello, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(hello, out, server_side=False).do_handshake()
    greeting = out.read()
    with ExitStack() as stack:
        for cut in (1, 5, 40, len(greeting)):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", own.port), 5))
            client.sendall(greeting[:cut])
        own.goes_on()
    assert b"HTTP" not in post(own, xmlrpc.client.dumps((), "ping").encode())
    own.goes_on()
    own.api("close")()


def client_files(pki):
    found = sorted(path for path in pki.rglob("*") if path.is_file() and "client" in str(path))
    return [str(next(path for path in found if path.suffix == suffix)) for suffix in (".pem", ".key")]


# -- documents and paths of clients

XML = """<domain type="qemu"><name>evil{n}</name><uuid>{id}</uuid><memory unit="MiB">32</memory>
<os><type>hvm</type></os><devices>{devices}</devices>{more}</domain>"""


def document(id, devices="", more="", before=""):
    return before + XML.format(n=id[:6], id=id, devices=devices, more=more)


EVIL = {
    "entities": {"before": '<!DOCTYPE d [<!ENTITY a "ha">]>', "more": "<title>&a;</title>"},
    "an external entity": {
        "before": '<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        "more": "<title>&a;</title>",
    },
    "an external type": {"before": '<!DOCTYPE domain SYSTEM "http://192.0.2.1/x.dtd">'},
    "an inclusion": {
        "more": '<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="/etc/passwd" parse="text"/>',
    },
    "an undeclared entity": {"more": "<title>&nothing;</title>"},
    "an open end": {"more": "<title>"},
    "a path with dots": {
        "devices": '<disk type="file"><source file="/rhev/../etc/passwd"/><target dev="vda" bus="virtio"/></disk>'
    },
}


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
def test_a_document_that_wants_more_than_to_be_read_is_refused_at_once(house, evil):
    id = new_id()
    answer = house.call("create", {"xml": document(id, **evil)})["status"]
    assert answer["code"] in (9, 1000), answer
    assert "root:" not in answer["message"]
    assert (house.ask("list")["vmList"], id in house.defined()) == ([], False)


DOTS = ("..", "../..", "/etc/../etc", "a/../../b")
PLACES = [
    {"type": "disk", "device": "disk", "iface": "virtio", "path": "/var/lib/../../etc/shadow"},
    {"type": "disk", "device": "disk", "iface": "virtio", "GUID": "../sda"},
    {"type": "disk", "device": "disk", "iface": "virtio", "UUID": "../../sda"},
    *(
        {"type": "disk", "device": "disk", "iface": "virtio"}
        | {name: ".." if name == which else new_id() for name in ("poolID", "domainID", "imageID", "volumeID")}
        for which in ("poolID", "domainID", "imageID", "volumeID")
    ),
    *(
        {"type": "disk", "device": kind, "specParams": {"vmPayload": {"file": {name: base64.b64encode(b"x").decode()}}}}
        for name in ("../../../../tmp/out", "/etc/passwd", "a/../../b", "..", "", "a\0b")
        for kind in ("cdrom", "floppy")
        if "\0" not in name
    ),
]


@pytest.mark.parametrize("device", PLACES, ids=range(len(PLACES)))
def test_a_device_that_points_out_of_its_place_is_refused_at_once(house, device):
    id = new_id()
    params = {"vmId": id, "memSize": "32", "devices": [device]}
    answer = house.call("create", params)["status"]
    assert answer["code"] in (9, 1000), answer
    assert house.ask("list")["vmList"] == []
    assert house.left_behind(id) == []


@pytest.mark.parametrize("name", ["kernel", "initrd", "cdrom", "floppy", "hda"])
def test_old_keys_with_dots_in_their_paths_are_refused(house, name):
    params = {"vmId": new_id(), "memSize": "32", name: "/boot/../etc/shadow"}
    assert house.code("create", params) in (9, 1000)


@pytest.mark.parametrize("path", [*DOTS, "relative", "/", "", "/proc/self/root", "\n", "/tmp/a\nb"])
def test_folders_that_cannot_be_storage_are_refused_one_by_one(house, path):
    before = sorted(os.listdir(house.home / "state/data-center/mnt"))
    for verb in ("connectStorageServer", "disconnectStorageServer"):
        answer = house.ask(
            verb, 4, BLANK, [{"id": "good", "connection": str(house.folder)}, {"id": "bad", "connection": path}]
        )
        found = {one["id"]: one["status"] for one in answer["statuslist"]}
        if verb == "connectStorageServer":
            assert found["good"] == 0
            assert found["bad"] != 0 or os.path.isdir(path)
        house.connect_folder(house.folder)
    assert sorted(os.listdir(house.home / "state/data-center/mnt")) == before
    assert house.code("createStorageDomain", 4, new_id(), "x", path, 1, "5") != 0


def test_file_lists_stay_in_their_folder(house, tmp_path):
    iso = new_id()
    house.connect_folder(tmp_path)
    house.ask("createStorageDomain", 4, iso, "isos", str(tmp_path), 2, "0")
    files = tmp_path / iso / "images" / "11111111-1111-1111-1111-111111111111"
    (files / "a.iso").write_text("x")
    for pattern in ("../*", "../../dom_md/*", "/etc/*", "*/../*", "**", "[", "../../../../../../etc/pass*"):
        found = house.call("getFileStats", iso, pattern, False)
        assert set(found.get("fileStats", {})) <= {"a.iso"}, (pattern, found)
    house.ask("formatStorageDomain", iso)
    house.ask("disconnectStorageServer", 4, BLANK, [{"id": "1", "connection": str(tmp_path)}])
