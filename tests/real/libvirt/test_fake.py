"""The operations against libvirt's own fake driver: quick, and exact about errors and figures."""

import threading
import time
from uuid import uuid4

import libvirt
import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, ensureDeferred, gatherResults

from virgate.libvirt.connection import Hypervisor
from virgate.libvirt.errors import DomainNotFound, HypervisorAway, HypervisorFailed, OperationInvalid


@pytest_twisted.ensureDeferred
async def test_connecting_is_told_once_and_stopping_not_at_all(events, heard):
    hypervisor = Hypervisor("test:///default", events)
    with pytest.raises(HypervisorAway, match="no answer yet"):
        await hypervisor.call(lambda connection: None)
    await hypervisor.start()
    assert hypervisor.connected
    await hypervisor.stop()
    assert heard.told == [("libvirt.connected", {"uri": "test:///default"})]
    with pytest.raises(HypervisorAway, match="stopped"):
        await hypervisor.call(lambda connection: None)


@pytest_twisted.ensureDeferred
async def test_a_machine_s_life_in_states_and_events(fake_domains, guest, heard):
    uuid = await fake_domains.define(guest("one", "test"))
    assert await fake_domains.state(uuid) == ("shutoff", "unknown")
    await fake_domains.start(uuid)
    assert await fake_domains.state(uuid) == ("running", "booted")
    await fake_domains.suspend(uuid)
    assert await fake_domains.state(uuid) == ("paused", "user")
    await fake_domains.resume(uuid)
    assert await fake_domains.state(uuid) == ("running", "unpaused")
    await fake_domains.destroy(uuid)
    await fake_domains.undefine(uuid)
    with pytest.raises(DomainNotFound):
        await fake_domains.state(uuid)
    await heard.until("libvirt.lifecycle", event="undefined")
    assert [(fields["event"], fields["detail"]) for fields in heard.of("libvirt.lifecycle")] == [
        ("defined", "added"),
        ("started", "booted"),
        ("suspended", "paused"),
        ("resumed", "unpaused"),
        ("stopped", "destroyed"),
        ("undefined", "removed"),
    ]
    assert {fields["uuid"] for fields in heard.of("libvirt.lifecycle")} == {uuid}


@pytest_twisted.ensureDeferred
async def test_an_unknown_machine_is_named_in_the_error(fake_domains):
    unknown = str(uuid4())
    with pytest.raises(DomainNotFound) as caught:
        await fake_domains.start(unknown)
    assert (caught.value.uuid, caught.value.code) == (unknown, 1)


@pytest_twisted.ensureDeferred
async def test_the_wrong_state_is_an_error_of_its_own(fake_domains, guest):
    uuid = await fake_domains.define(guest("one", "test"))
    with pytest.raises(OperationInvalid) as caught:
        await fake_domains.destroy(uuid)
    assert caught.value.libvirt_code == libvirt.VIR_ERR_OPERATION_INVALID
    assert str(caught.value).startswith("libvirt failed: ")


@pytest_twisted.ensureDeferred
async def test_a_document_libvirt_refuses_is_its_error_with_number(fake_domains):
    with pytest.raises(HypervisorFailed) as caught:
        await fake_domains.define("<domain/>")
    assert caught.value.libvirt_code == libvirt.VIR_ERR_NO_NAME


@pytest_twisted.ensureDeferred
async def test_errors_are_not_printed(fake_domains, capfd):
    with pytest.raises(HypervisorFailed):
        await fake_domains.define("<domain/>")
    assert capfd.readouterr().err == ""


@pytest_twisted.ensureDeferred
async def test_the_list_says_who_runs_and_who_is_only_defined(fake_domains, guest):
    running = await fake_domains.create(guest("running", "test"))
    defined = await fake_domains.define(guest("defined", "test"))
    found = {summary.uuid: summary for summary in await fake_domains.list()}
    assert set(found) == {running, defined}
    assert (found[running].name, found[running].state, found[running].persistent) == ("running", "running", True)
    assert found[running].id is not None
    assert (found[defined].state, found[defined].reason, found[defined].id) == ("shutoff", "unknown", None)


@pytest_twisted.ensureDeferred
async def test_metadata_is_kept_by_namespace(fake_domains, guest):
    uuid = await fake_domains.create(guest("one", "test"))
    assert await fake_domains.metadata(uuid, "http://example.org/a") is None
    await fake_domains.set_metadata(uuid, "<vm one='1'/>", "a", "http://example.org/a")
    for inactive in (False, True):
        assert 'one="1"' in await fake_domains.metadata(uuid, "http://example.org/a", inactive)
        assert "http://example.org/a" in await fake_domains.xml(uuid, inactive)
    await fake_domains.set_metadata(uuid, None, "a", "http://example.org/a")
    assert await fake_domains.metadata(uuid, "http://example.org/a") is None


@pytest_twisted.ensureDeferred
async def test_a_thousand_machines_are_sampled_in_one_quick_call(fake, fake_domains, guest):
    def make(connection):
        for number in range(1000):
            connection.defineXML(guest(f"vm{number}", "test")).create()

    await fake.call(make)
    await fake_domains.statistics()
    began = time.monotonic()
    figures = await fake_domains.statistics()
    assert time.monotonic() - began < 1, "far above what it takes; not a benchmark"
    assert len(figures) == 1000
    assert all(one["state.state"] == libvirt.VIR_DOMAIN_RUNNING for one in figures.values())


@pytest_twisted.ensureDeferred
async def test_only_running_machines_are_sampled(fake_domains, guest):
    running = await fake_domains.create(guest("running", "test"))
    await fake_domains.define(guest("defined", "test"))
    assert set(await fake_domains.statistics()) >= {running}


@pytest_twisted.ensureDeferred
async def test_many_calls_at_once_wait_for_one_of_the_threads(fake):
    calls = [ensureDeferred(fake.call(lambda connection: connection.getType())) for _ in range(100)]
    assert fake.waiting == 92
    assert await gatherResults(calls) == ["TEST"] * 100


@pytest_twisted.ensureDeferred
async def test_calls_about_one_machine_wait_for_each_other_and_take_one_thread(fake, fake_domains, guest):
    uuid = await fake_domains.define(guest("one", "test"))
    calls = [ensureDeferred(fake_domains.state(uuid)) for _ in range(100)]
    assert fake.waiting == 0
    assert await gatherResults(calls) == [("shutoff", "unknown")] * 100


@pytest_twisted.ensureDeferred
async def test_an_exception_of_the_function_is_left_alone(fake):
    with pytest.raises(ZeroDivisionError):
        await fake.call(lambda connection: 1 / 0)
    assert fake.connected


@pytest_twisted.ensureDeferred
async def test_stopping_fails_calls_under_way_as_away(events):
    hypervisor = Hypervisor("test:///default", events)
    await hypervisor.start()
    door = threading.Event()
    running = ensureDeferred(hypervisor.call(lambda connection: door.wait(10)))
    await hypervisor.stop()
    with pytest.raises(HypervisorAway, match="stopped"):
        await running
    door.set()


@pytest_twisted.ensureDeferred
async def test_a_cancelled_call_is_cancelled_and_the_connection_stays(fake):
    door = threading.Event()
    running = ensureDeferred(fake.call(lambda connection: door.wait(10)))
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    door.set()
    assert fake.connected


@pytest_twisted.ensureDeferred
async def test_a_connection_is_closed_only_when_the_last_thread_has_left_it(events, until):
    """libvirt frees it then; a thread that still called it would hang, or close what is somebody else's."""
    hypervisor = Hypervisor("test:///default", events)
    await hypervisor.start()
    door, alive, connections = threading.Event(), [], []

    def use(connection):
        connections.append(connection)
        door.wait(10)
        alive.append(connection.isAlive())

    calls = [ensureDeferred(hypervisor.call(use)) for _ in range(2)]
    await until(lambda: len(connections) == 2)
    await hypervisor.stop()
    for call in calls:
        with pytest.raises(HypervisorAway, match="stopped"):
            await call
    door.set()
    await until(lambda: len(alive) == 2)
    assert alive == [1, 1]
    await until(lambda: is_closed(connections[0]))


def is_closed(connection):
    return connection._o is None  # asked with a call, libvirt would remember the error for the thread
