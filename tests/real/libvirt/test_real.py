"""A real libvirtd with real QEMU: what the fake driver cannot show."""

import gc
import os
import signal
import weakref

import pytest
import pytest_twisted
from twisted.internet.defer import ensureDeferred

from virgate.events import EventBus
from virgate.libvirt.connection import Hypervisor
from virgate.libvirt.domains import Domains
from virgate.libvirt.errors import DomainNotFound, HypervisorAway, HypervisorFailed, OperationInvalid

LIBVIRT_NOWHERE = "qemu+unix:///system?socket=/nowhere/libvirt-sock"


@pytest_twisted.ensureDeferred
async def test_a_real_machine_s_life_in_states_and_events(domains, guest, heard):
    uuid = await domains.create(guest("life"), paused=True)
    assert await domains.state(uuid) == ("paused", "user")
    await domains.resume(uuid)
    assert await domains.state(uuid) == ("running", "unpaused")
    await domains.reset(uuid)
    figures = (await domains.statistics())[uuid]
    assert figures["state.state"] == 1
    assert figures["balloon.maximum"] == 64 << 10
    assert {"cpu.time", "vcpu.current", "block.count", "net.count"} <= set(figures)
    await domains.destroy(uuid)
    assert await domains.state(uuid) == ("shutoff", "destroyed")
    await domains.undefine(uuid)
    assert uuid not in {summary.uuid for summary in await domains.list()}
    await heard.until("libvirt.lifecycle", uuid=uuid, event="undefined")
    assert await heard.until("libvirt.reboot", uuid=uuid) == {"uuid": uuid}
    told = [(fields["event"], fields["detail"]) for fields in heard.of("libvirt.lifecycle")]
    last_words = ("shutdown", "host")  # of a QEMU that is being ended: libvirt hears them, or sees it gone first
    assert [event for event in told if event != last_words] == [
        ("defined", "added"),
        ("started", "booted"),
        ("suspended", "paused"),
        ("resumed", "unpaused"),
        ("stopped", "destroyed"),
        ("undefined", "removed"),
    ]
    assert last_words not in told or told.index(last_words) == 4


@pytest_twisted.ensureDeferred
async def test_a_machine_that_cannot_start_is_not_left_defined(domains, guest):
    missing = "<disk type='file' device='disk'><source file='/nowhere/disk'/><target dev='vda' bus='virtio'/></disk>"
    with pytest.raises(HypervisorFailed, match="/nowhere/disk"):
        await domains.create(guest("broken", devices=missing))
    assert "broken" not in {summary.name for summary in await domains.list()}


@pytest_twisted.ensureDeferred
async def test_a_killed_machine_is_told_as_crashed(domains, guest, heard, libvirtd):
    uuid = await domains.create(guest("killed"))
    os.kill(libvirtd.guest("killed"), signal.SIGKILL)
    stopped = await heard.until("libvirt.lifecycle", uuid=uuid, event="stopped")
    assert stopped["detail"] in ("failed", "crashed")


@pytest_twisted.ensureDeferred
async def test_metadata_of_a_running_machine_is_in_both_its_documents(domains, guest):
    uuid = await domains.create(guest("meta"), paused=True)
    await domains.set_metadata(uuid, "<vm two='2'/>", "b", "http://example.org/b")
    for inactive in (False, True):
        assert "two" in await domains.metadata(uuid, "http://example.org/b", inactive)


@pytest_twisted.ensureDeferred
async def test_a_restarted_libvirtd_is_found_again_with_its_machines(libvirtd, real, domains, guest, heard):
    uuid = await domains.create(guest("survivor"), paused=True)
    libvirtd.stop_daemon()
    lost = await heard.until("libvirt.disconnected")
    assert lost["uri"] == libvirtd.uri
    assert not real.connected
    with pytest.raises(HypervisorAway):
        await domains.state(uuid)
    heard.told.clear()
    libvirtd.start(keep_guests=True)
    await heard.until("libvirt.connected")
    assert await domains.state(uuid) == ("paused", "user")
    await domains.resume(uuid)
    assert await heard.until("libvirt.lifecycle", uuid=uuid, event="resumed"), "events work on the new connection"


@pytest_twisted.ensureDeferred
async def test_calls_under_way_when_libvirtd_dies_fail_as_away(libvirtd, real, domains, heard):
    libvirtd.send(signal.SIGSTOP)
    waiting = [ensureDeferred(domains.list()) for _ in range(12)]
    libvirtd.stop_daemon()
    for call in waiting:
        with pytest.raises(HypervisorAway):
            await call
    assert len(heard.of("libvirt.disconnected")) == 1
    heard.told.clear()
    libvirtd.start(keep_guests=True)
    await heard.until("libvirt.connected")
    assert await domains.list() == []


@pytest_twisted.ensureDeferred
async def test_a_libvirtd_that_hangs_is_noticed_by_keep_alive(libvirtd, events, heard):
    hypervisor = Hypervisor(libvirtd.uri, events, keepalive=(1, 1), pauses=(0.1,))
    await hypervisor.start()
    libvirtd.send(signal.SIGSTOP)
    hanging = ensureDeferred(Domains(hypervisor).list())
    with pytest.raises(HypervisorAway):
        await hanging
    assert not hypervisor.connected
    libvirtd.send(signal.SIGCONT)
    heard.told.clear()
    await heard.until("libvirt.connected")
    await hypervisor.stop()


@pytest_twisted.ensureDeferred
async def test_starting_without_libvirt_does_not_fail_and_says_so_once(events, heard, until):
    hypervisor = Hypervisor(LIBVIRT_NOWHERE, events, pauses=(0.01,))
    attempts = []
    opened = hypervisor._open
    hypervisor._open = lambda: (attempts.append(1), opened())[1]
    await hypervisor.start()
    await until(lambda: len(attempts) > 3)
    assert not hypervisor.connected
    assert len(heard.told) == 1
    assert heard.told[0][0] == "libvirt.disconnected"
    assert "/nowhere/libvirt-sock" in heard.told[0][1]["reason"]
    await hypervisor.stop()


@pytest_twisted.ensureDeferred
async def test_starting_while_libvirt_accepts_and_says_nothing_does_not_hang(libvirtd, events, heard, monkeypatch):
    monkeypatch.setattr("virgate.libvirt.connection.FIRST_ATTEMPT", 0.2)
    libvirtd.send(signal.SIGSTOP)
    hypervisor = Hypervisor(libvirtd.uri, events)
    await hypervisor.start()
    assert heard.told == [("libvirt.disconnected", {"uri": libvirtd.uri, "reason": "no answer yet"})]
    libvirtd.send(signal.SIGCONT)
    await heard.until("libvirt.connected")
    await hypervisor.stop()


@pytest_twisted.ensureDeferred
async def test_an_unknown_real_machine_is_not_found(domains):
    with pytest.raises(DomainNotFound):
        await domains.xml("00000000-0000-4000-8000-000000000000")


@pytest_twisted.ensureDeferred
async def test_a_lost_connection_is_given_back_with_all_its_callbacks(libvirtd, real, heard):
    connection = weakref.ref(await real.call(lambda connection: connection))
    descriptors = len(os.listdir("/proc/self/fd"))
    libvirtd.stop_daemon()
    await heard.until("libvirt.disconnected")
    libvirtd.start(keep_guests=True)
    heard.told.clear()
    await heard.until("libvirt.connected")
    gc.collect()
    assert connection() is None
    assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest_twisted.ensureDeferred
async def test_buttons_of_a_running_machine_can_be_pressed(domains, guest):
    """Whether a guest listens is the guest's; that QEMU takes the button is seen here."""
    uuid = await domains.create(guest("buttons"))
    await domains.shutdown(uuid)
    await domains.reboot(uuid)
    assert (await domains.state(uuid))[0] == "running"


@pytest_twisted.ensureDeferred
async def test_buttons_of_a_machine_that_is_off_are_refused(domains, guest):
    uuid = await domains.define(guest("off"))
    for press in (domains.shutdown, domains.reboot, domains.reset, domains.suspend, domains.resume, domains.destroy):
        with pytest.raises(OperationInvalid):
            await press(uuid)


@pytest_twisted.ensureDeferred
async def test_undefining_lets_a_running_machine_go_on_as_a_passing_one(domains, guest):
    uuid = await domains.create(guest("passing"))
    await domains.undefine(uuid)
    (summary,) = [found for found in await domains.list() if found.uuid == uuid]
    assert (summary.state, summary.persistent, summary.name) == ("running", False, "passing")
    await domains.set_metadata(uuid, "<vm/>", "c", "http://example.org/c")
    assert await domains.metadata(uuid, "http://example.org/c") is not None


@pytest_twisted.ensureDeferred
async def test_the_document_of_the_next_start_differs_from_the_running_one(domains, guest):
    uuid = await domains.create(guest("both"), paused=True)
    assert "<domain type='qemu' id='" in await domains.xml(uuid)
    assert "<domain type='qemu'>" in await domains.xml(uuid, inactive=True)


@pytest_twisted.ensureDeferred
async def test_two_connections_hear_the_same_events(libvirtd, real, domains, guest, listen_to):
    others = EventBus()
    other = Hypervisor(libvirtd.uri, others)
    heard = listen_to(others, "libvirt.lifecycle")
    await other.start()
    uuid = await domains.define(guest("shared"))
    await heard.until("libvirt.lifecycle", uuid=uuid, event="defined")
    await other.stop()
    assert real.connected
    await domains.undefine(uuid)
    assert [fields["event"] for fields in heard.of("libvirt.lifecycle")] == ["defined"]
