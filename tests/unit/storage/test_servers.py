"""Connecting several places: each has its own end, and what clients send about them stays between us."""

from typing import ClassVar

import pytest
import pytest_twisted
from attrs import frozen
from contract.storage.room import BLANK, Room
from twisted.logger import globalLogPublisher

from virgate import hookimpl
from virgate.errors import VirgateError
from virgate.hookspecs.storage import Kind
from virgate.node.storage.errors import StorageUnusable

PASSWORD = "hunter2"


@frozen
class Vault:
    """Opens with a password, and says too much when it does not."""

    name: ClassVar[str] = "VAULT"
    number: ClassVar[int] = 100
    kind: ClassVar[Kind] = Kind.FILE
    how: str
    password: str

    @classmethod
    def read(cls, parameters):
        if parameters["connection"] == "unreadable":
            raise ValueError(parameters)
        return cls(parameters["connection"], parameters["password"])

    async def connect(self, host):
        match self.how:
            case "coded":
                raise StorageUnusable(self.how, "locked")
            case "general":
                raise VirgateError()
            case "breaks":
                raise RuntimeError(f"cannot open with {self.password}")

    disconnect = connect


class Plugin:
    __name__ = "vault"

    @hookimpl
    def storage_domain_type(self, name):
        return Vault if name in ("vault", "100") else None


@pytest.fixture
def logged():
    events = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def given(*how):
    return [{"id": f"c{number}", "connection": word, "password": PASSWORD} for number, word in enumerate(how)]


@pytest_twisted.async_yield_fixture
async def room(tmp_path):
    made = await Room(tmp_path, plugins=[Plugin()]).start()
    yield made
    await made.stop()


@pytest.mark.parametrize("verb", ["connectStorageServer", "disconnectStorageServer"])
@pytest_twisted.ensureDeferred
async def test_each_place_has_its_own_status_and_none_keeps_the_others_from_being_tried(room, verb, logged):
    answer = await room.ask(verb, "vault", BLANK, given("coded", "opens", "breaks", "general", "opens"))
    assert [(one["id"], one["status"]) for one in answer["statuslist"]] == [
        ("c0", 469),
        ("c1", 0),
        ("c2", 100),
        ("c3", 100),
        ("c4", 0),
    ]
    assert any(event.get("kind") == "RuntimeError" and "test_servers.py" in event["trace"] for event in logged)


@pytest.mark.parametrize("verb", ["connectStorageServer", "disconnectStorageServer"])
@pytest.mark.parametrize("how", ["breaks", "coded", "unreadable", "opens"])
@pytest_twisted.ensureDeferred
async def test_passwords_of_places_are_in_no_line_of_the_log(room, logged, verb, how):
    await room.call(verb, "vault", BLANK, given(how))
    await room.call(verb, "nonsense", BLANK, given(how))
    await room.call(verb, "vault", BLANK, {"not": "an array", "password": PASSWORD})
    assert logged
    assert PASSWORD not in repr(logged)


@pytest.mark.parametrize("wrong", [["no struct"], [{"id": "1"}], [{"connection": "opens", "password": ""}]])
@pytest_twisted.ensureDeferred
async def test_a_list_with_something_wrong_in_it_is_refused_as_a_whole(room, wrong):
    assert await room.code("connectStorageServer", "vault", BLANK, given("opens") + wrong) == 451
