from types import SimpleNamespace

import pytest
import pytest_twisted
from twisted.internet.task import Clock

from virgate.api.dispatch import Api
from virgate.api.verb import Caller
from virgate.api.verbs import system
from virgate.events import EventBus
from virgate.hookspecs.errors import HookError


class FakeHost:
    def __init__(self):
        self.problem = None

    async def capabilities(self):
        if self.problem:
            raise self.problem
        return {"cpuModel": "x"}

    async def statistics(self):
        return {"cpuLoad": "0.10"}

    async def hardware(self):
        return {"systemManufacturer": "Maker"}

    def device_with(self, address):
        return {"192.0.2.1": "eth0"}.get(address, "")


@pytest.fixture
def node():
    return SimpleNamespace(hooks=None, ready=True, broken=False, host=FakeHost(), events=EventBus())


async def call(node, name, *arguments, local="192.0.2.1"):
    api = Api(node)
    return await api.call(api.verbs[name], arguments, Caller("192.0.2.9", local))


@pytest_twisted.ensureDeferred
async def test_capabilities_name_the_client_and_the_device_it_came_through(node):
    answer = await call(node, "getVdsCapabilities")
    assert answer["info"] == {"cpuModel": "x", "lastClient": "192.0.2.9", "lastClientIface": "eth0"}
    assert (await call(node, "getVdsCapabilities", local="192.0.2.2"))["info"]["lastClientIface"] == ""


@pytest_twisted.ensureDeferred
async def test_statistics_and_hardware_are_the_host_s_answers(node):
    assert (await call(node, "getVdsStats"))["info"] == {"cpuLoad": "0.10"}
    assert (await call(node, "getVdsHardwareInfo"))["info"] == {"systemManufacturer": "Maker"}


@pytest_twisted.ensureDeferred
async def test_a_script_that_refuses_capabilities_is_code_1500(node):
    node.host.problem = HookError("not now")
    answer = await call(node, "getVdsCapabilities")
    assert answer == {"status": {"code": 1500, "message": "Hook Error: not now"}}


@pytest.mark.parametrize(
    ("level", "word"),
    [(10, "debug"), ("20", "info"), (30, "warn"), (40, "error"), (50, "error"), (0, "debug"), (25, "warn")],
)
@pytest_twisted.ensureDeferred
async def test_the_log_level_is_told_in_the_daemon_s_words(node, level, word):
    told = []
    node.events.listen("daemon.log_level", lambda level: told.append(level))
    assert (await call(node, "setLogLevel", level))["status"]["code"] == 0
    assert told == [word]


@pytest_twisted.ensureDeferred
async def test_a_log_level_that_is_no_number_is_code_16(node):
    assert (await call(node, "setLogLevel", "loud"))["status"]["code"] == 16


@pytest_twisted.ensureDeferred
async def test_the_daemon_ends_after_the_reply_also_while_it_is_not_ready(node, monkeypatch):
    clock, stopped = Clock(), []
    clock.stop = lambda: stopped.append(True)
    monkeypatch.setattr(system, "reactor", clock)
    node.ready = False
    assert (await call(node, "prepareForShutdown"))["status"]["code"] == 0
    assert stopped == []
    clock.advance(0)
    assert stopped == [True]
