"""Connections that are kept: by whom, how long, and what of them can be seen."""

import json
import stat
from typing import ClassVar

import pytest
from attrs import field, frozen
from contract.storage.light import begun, now
from contract.storage.room import BLANK
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from virgate import hookimpl
from virgate.hookspecs.storage import Kind
from virgate.node.storage.errors import StorageUnusable
from virgate.node.storage.servers.reference_parameters import connection_of, told_of

PASSWORD = "hunter2"


class Far:
    """A far end: what is connected there, and what is wrong with it."""

    connected: ClassVar[list[str]] = []
    calls: ClassVar[list[str]] = []
    problem: ClassVar[Exception | None] = None
    waiting: ClassVar["Deferred[None] | None"] = None


@frozen
class Cloud:
    name: ClassVar[str] = "CLOUD"
    number: ClassVar[int] = 101
    kind: ClassVar[Kind] = Kind.FILE
    place: str
    password: str = field(eq=False, repr=False)

    @classmethod
    def read(cls, parameters):
        return cls(parameters["connection"], parameters.get("password", ""))

    async def connect(self, host):
        Far.calls.append(f"connect {self.place}")
        if Far.waiting is not None:
            await Far.waiting
        if Far.problem:
            raise Far.problem
        if self.place not in Far.connected:
            Far.connected.append(self.place)

    async def connected(self, host):
        return self.place in Far.connected

    async def disconnect(self, host):
        Far.calls.append(f"disconnect {self.place}")
        Far.connected = [place for place in Far.connected if place != self.place]


class Plugin:
    __name__ = "cloud"

    @hookimpl
    def storage_domain_type(self, name):
        return Cloud if name in ("cloud", "101") else None


@pytest.fixture
def cloud(light):
    Far.connected, Far.calls, Far.problem, Far.waiting = [], [], None, None
    light.room.hooks.register(Plugin(), "cloud")
    return light


def kept(light):
    return light.base / "connections"


def acquire(light, *ids, place="there"):
    wanted = {id: {"type": "cloud", "params": {"connection": place, "password": PASSWORD}} for id in ids}
    return light.ask("storageServer_ConnectionRefs_acquire", wanted)["results"]


def release(light, *ids):
    return light.ask("storageServer_ConnectionRefs_release", list(ids))["results"]


def statuses(light):
    return light.ask("storageServer_ConnectionRefs_statuses")["connectionslist"]


def by_verb(light, verb, place="there"):
    given = [{"id": "1", "connection": place}]
    return light.ask(f"{verb}StorageServer", "cloud", BLANK, given)["statuslist"][0]["status"]


def test_a_mixed_call_tells_each_its_own_end(light):
    """Vector 44, with the codes that R9 wants for the two that the reference mixes up."""
    good, missing = light.room.folder("good"), str(light.base / "missing")
    refs = {
        "good": {"type": "localfs", "params": {"path": good}},
        "bogus": {"type": "bogus", "params": {}},
        "missing": {"type": "localfs", "params": {"path": missing}},
    }
    assert light.ask("storageServer_ConnectionRefs_acquire", refs)["results"] == {"good": 0, "bogus": 453, "missing": 0}
    assert light.ask("storageServer_ConnectionRefs_acquire", {"good": refs["good"]})["results"] == {"good": 478}
    assert light.ask("storageServer_ConnectionRefs_release", ["unknown"])["results"] == {"unknown": 479}
    told = statuses(light)
    assert told["good"] == {
        "connected": True,
        "lastError": [0, ""],
        "connectionInfo": {"type": "localfs", "params": {"path": good}},
    }
    assert told["missing"]["connected"] is False and told["missing"]["lastError"][0] == 469
    assert set(told) == {"good", "missing"}


@pytest.mark.parametrize("id", ["", "a/b", "../x", ".hidden", "a b", "a\n", "x" * 201, "-x"])
def test_an_id_that_is_no_file_name_is_refused(cloud, id):
    assert acquire(cloud, id) == {id: 453}
    assert not kept(cloud).exists()


@pytest.mark.parametrize(
    "given",
    ["text", {}, {"type": "cloud"}, {"type": "cloud", "params": {}}, {"type": "iscsi", "params": {"portal": 3}}],
)
def test_what_is_no_connection_is_refused(cloud, given):
    assert cloud.ask("storageServer_ConnectionRefs_acquire", {"r": given})["results"] == {"r": 453}


def test_a_reference_is_a_file_for_the_daemon_alone_until_it_is_released(cloud):
    assert acquire(cloud, "ref-1") == {"ref-1": 0}
    (path,) = kept(cloud).iterdir()
    assert path.name == "ref-1.con" and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["type"] == "cloud"
    assert release(cloud, "ref-1") == {"ref-1": 0}
    assert (list(kept(cloud).iterdir()), Far.connected) == ([], [])


def test_a_connection_stays_until_its_last_reference_is_released(cloud):
    acquire(cloud, "a", "b")
    release(cloud, "a")
    assert Far.connected == ["there"]
    release(cloud, "b")
    assert Far.connected == []


def test_clients_of_the_verbs_do_not_take_away_what_a_reference_keeps(cloud):
    acquire(cloud, "a")
    assert by_verb(cloud, "connect") == 0
    assert by_verb(cloud, "disconnect") == 0
    assert Far.connected == ["there"]
    release(cloud, "a")
    assert Far.connected == []


def test_a_released_reference_does_not_take_away_what_clients_of_the_verbs_use(cloud):
    by_verb(cloud, "connect")
    acquire(cloud, "a")
    release(cloud, "a")
    assert Far.connected == ["there"]
    assert by_verb(cloud, "disconnect") == 0
    assert Far.connected == []


def test_a_failed_connect_of_a_client_leaves_no_user_behind(cloud):
    Far.problem = StorageUnusable("x", "y")
    assert by_verb(cloud, "connect") == 469
    Far.problem = None
    acquire(cloud, "a")
    release(cloud, "a")
    assert Far.connected == []


def test_a_lost_connection_is_made_again_within_ten_seconds(cloud):
    acquire(cloud, "a", "b", "c", "d")
    Far.connected.clear()
    Far.calls.clear()
    cloud.clock.pump([2.5] * 3)
    assert Far.connected == ["there"] and Far.calls == ["connect there"]


def test_references_take_turns(cloud):
    for place in ("1", "2", "3", "4"):
        acquire(cloud, place, place=place)
    Far.calls.clear()
    Far.connected.clear()
    seen = []
    for _ in range(4):
        cloud.clock.advance(2.5)
        seen.append(len(Far.calls))
    assert seen == [1, 2, 3, 4] and sorted(Far.connected) == ["1", "2", "3", "4"]


def test_what_is_wrong_is_told_until_it_is_mended(cloud):
    Far.problem = StorageUnusable("x", "locked")
    acquire(cloud, "a")
    assert statuses(cloud)["a"]["lastError"][0] == 469
    Far.problem = RuntimeError(PASSWORD)
    cloud.clock.advance(10)
    assert statuses(cloud)["a"]["lastError"] == [100, "unexpected RuntimeError"]
    Far.problem = None
    cloud.clock.advance(10)
    assert (statuses(cloud)["a"]["connected"], statuses(cloud)["a"]["lastError"]) == (True, [0, ""])


def test_one_that_hangs_is_not_tried_again_meanwhile_and_ends_when_it_was_released(cloud):
    Far.waiting = Deferred()
    acquire(cloud, "a")
    cloud.clock.pump([10] * 3)
    assert Far.calls == ["connect there"]
    begun(cloud.room.call("storageServer_ConnectionRefs_release", ["a"]))
    Far.connected.append("there")
    Far.waiting.callback(None)
    assert Far.connected == []


def test_references_come_back_after_a_restart(cloud):
    acquire(cloud, "a")
    Far.connected.clear()
    (kept(cloud) / "broken.con").write_text("{")
    (kept(cloud) / "unknown.con").write_text('{"type": "nobody", "params": {}}')
    (kept(cloud) / "other").write_text("not ours")
    cloud.reopen()
    assert statuses(cloud) == {}, "nobody knows the type yet"
    cloud.room.hooks.register(Plugin(), "cloud")
    now(cloud.room.storage.references.start())
    assert Far.connected == ["there"] and set(statuses(cloud)) == {"a"}


def test_a_password_is_in_its_file_and_nowhere_else(cloud):
    events = []
    globalLogPublisher.addObserver(events.append)
    try:
        acquire(cloud, "a")
        told = statuses(cloud)
        Far.problem = RuntimeError(PASSWORD)
        Far.connected.clear()
        cloud.clock.advance(10)
        release(cloud, "a")
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert told["a"]["connectionInfo"] == {"type": "cloud", "params": {"connection": "there"}}
    assert PASSWORD not in repr(events) + repr(told) + repr(cloud.room.storage.references)


@pytest.mark.parametrize(
    ("type", "given", "read", "told"),
    [
        ("localfs", {"path": "/a"}, {"connection": "/a"}, {"path": "/a"}),
        (
            "nfs",
            {"export": "nas:/e", "version": "4", "retrans": 2},
            {"connection": "nas:/e", "protocol_version": "4", "retrans": 2},
            {"export": "nas:/e", "version": "4", "retrans": 2, "timeout": "default", "extraOptions": "default"},
        ),
        (
            "nfs",
            {"export": "nas:/e"},
            {"connection": "nas:/e", "protocol_version": "auto"},
            {"export": "nas:/e", **dict.fromkeys(("version", "retrans", "timeout", "extraOptions"), "default")},
        ),
        (
            "sharedfs",
            {"spec": "x", "vfsType": "ceph", "options": "ro"},
            {"connection": "x", "vfs_type": "ceph", "mnt_options": "ro"},
            {"spec": "x", "vfsType": "ceph", "options": "ro"},
        ),
        (
            "iscsi",
            {
                "portal": {"host": "p"},
                "iqn": "i",
                "credentials": {"type": "chap", "params": {"username": "u", "password": PASSWORD}},
            },
            {"connection": "p", "port": "3260", "iqn": "i", "tpgt": "1", "ifaceName": "default", "user": "u",
             "password": PASSWORD},
            {"target": {"portal": {"hostname": "p", "port": 3260}, "tpgt": 1, "iqn": "i"}, "iface": "default"},
        ),
    ],
)  # fmt: skip
def test_each_type_has_its_own_words(type, given, read, told):
    assert connection_of(type, given) == read
    assert told_of(type, given) == told


values = st.recursive(
    st.text() | st.integers() | st.none(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=6
)


@given(st.dictionaries(st.text(), values))
def test_nothing_told_is_nothing(given):
    """XML-RPC knows no nil."""
    assert not _has_none(told_of("cloud", given))


def _has_none(value):
    return value is None or (isinstance(value, dict) and any(map(_has_none, value.values())))
