"""One table of verbs serves both transports: the same call has the same code and the same payload through each."""

import pytest_twisted
from attrs import evolve

from virgate.api.verb import Family, Reply
from virgate_plugins.transports.bridge.names import FOLDED, KNOWN, given
from virgate_plugins.transports.bridge.special import METHODS
from virgate_plugins.transports.bridge.unwrapping import unwrapped

SAMPLE = {
    "string": "text",
    "uuid": "5b1e9e9e-0c3a-4a3e-9c55-6f2f1d1f0001",
    "integer": 7,
    "boolean": True,
    "struct": {"vmId": "v1", "key": "value"},
    "array": ["one"],
}


def sample(parameter):
    return SAMPLE.get(parameter.kind, "any")


def listening(found, heard):
    """The same verb, that only keeps what it was given, and answers with as many members as the best of them."""

    async def run(node, **arguments):
        arguments.pop(found.wants_caller, None)
        heard.append(arguments)
        return Reply({"info": {"number": len(arguments)}})

    return evolve(found, run=run)


@pytest_twisted.ensureDeferred
async def test_every_built_verb_hears_the_same_through_both(talk):
    for xmlrpc, found in list(talk.api.verbs.items()):
        if not found.built or found.name in METHODS:
            continue
        heard = []
        talk.api.verbs[xmlrpc] = verb = listening(found, heard)
        places = {one.name: one.place for one in given(verb)}
        values = [
            sample(parameter) if place in places.values() else None for place, parameter in enumerate(verb.parameters)
        ]
        answer = await talk.call(xmlrpc, *values)
        assert answer["status"]["code"] == 0, (xmlrpc, answer["status"])
        named = {name: "v1" if place < 0 else values[place] for name, place in places.items()}
        own = {parameter.name: value for parameter, value in zip(verb.parameters, values, strict=True)}
        for params in (named, own, list(named.values())):
            assert await talk.client.result(verb.name, params) == unwrapped(verb.name, answer), verb.name
        assert heard == 4 * heard[:1], verb.name


@pytest_twisted.ensureDeferred
async def test_every_verb_has_the_same_code_through_both_when_it_is_not_ready_or_not_built(talk):
    for ready in (True, False):
        talk.node.ready = ready
        for xmlrpc, found in talk.api.verbs.items():
            if found.name in METHODS or (found.built and (ready or found.family is Family.STORAGE)):
                continue
            if found.built and found.always_ready:
                continue
            params = {one.name: "x" for one in given(found)}
            code = (await talk.call(xmlrpc))["status"]["code"]
            assert await talk.client.code(found.name, params) == code in (16, 44, 99), xmlrpc


def test_names_are_those_of_verbs_and_differ_within_each(talk):
    known = {found.name for found in talk.api.verbs.values()}
    for found in talk.api.verbs.values():
        names = [one.name for one in given(found)]
        assert len(set(names)) == len(names), found.name
    ours = {name for name in KNOWN if name.partition(".")[0] in ("StoragePool", "StorageDomain", "Image", "Volume")}
    assert ours <= known
    assert set(FOLDED) <= set(KNOWN)


@pytest_twisted.ensureDeferred
async def test_methods_that_are_no_verb_reach_one(talk):
    heard = {}

    def listen(xmlrpc, reply):
        async def run(node, **arguments):
            heard[xmlrpc] = arguments
            return Reply(reply)

        talk.api.verbs[xmlrpc] = evolve(talk.api.verbs[xmlrpc], run=run)

    listen("list", {"vmList": [{"vmId": "v1", "status": "Up"}]})
    listen("forcedDetachStorageDomain", {})
    listen("detachStorageDomain", {})
    listen("discoverSendTargets", {"targets": [], "fullTargets": ["a"]})
    listen("setLogLevel", {})
    listen("deleteVolume", {"uuid": "t"})
    ask = talk.client.result
    assert await ask("Host.getVMList") == ["v1"]
    assert await ask("Host.getVMList", {"onlyUUID": False, "vmList": ["v1"]}) == [{"vmId": "v1", "status": "Up"}]
    assert heard["list"] == {"full": False, "vms": ["v1"]}
    assert await ask("Host.getVMFullList", [["v1"]]) == [{"vmId": "v1", "status": "Up"}]
    assert heard["list"] == {"full": True, "vms": ["v1"]}
    assert (await ask("VM.getInfo", {"vmID": "v1"}))["vmId"] == "v1"
    assert await ask("Host.ping2") is await ask("Host.confirmConnectivity") is True
    assert await ask("StorageDomain.detach", {"storagedomainID": "d", "storagepoolID": "p", "force": True}) is True
    assert heard["forcedDetachStorageDomain"]["domain"] == "d"
    assert "detachStorageDomain" not in heard
    assert await ask("StorageDomain.detach", ["d", "p"]) is True
    assert heard["detachStorageDomain"]["pool"] == "p"
    assert await ask("ISCSIConnection.discoverSendTargets", ["h", 3260, "u", "secret"]) == ["a"]
    assert heard["discoverSendTargets"]["connection"]["connection"] == "h"
    assert await ask("Host.setLogLevel", {"level": "DEBUG"}) is True
    assert heard["setLogLevel"]["level"] == 10
    assert await ask("Volume.delete", ["v", "p", "d", "i"]) == "t"
    assert heard["deleteVolume"]["volumes"] == ["v"]


@pytest_twisted.ensureDeferred
async def test_a_machine_s_id_beside_the_struct_goes_into_it(talk):
    heard = []

    async def run(node, params):
        heard.append(params)
        return Reply({"vmList": {}})

    talk.api.verbs["create"] = evolve(talk.api.verbs["create"], run=run)
    await talk.client.result("VM.create", {"vmID": "v1", "vmParams": {"memSize": 1}})
    await talk.client.result("VM.create", ["v2", {"vmId": "other"}])
    assert heard == [{"memSize": 1, "vmId": "v1"}, {"vmId": "v2"}]
