"""libvirt's event loop on the reactor, driven through libvirt's own C interface."""

import os
import threading

import libvirt
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from virgate.libvirt import eventloop

READABLE, WRITABLE = libvirt.VIR_EVENT_HANDLE_READABLE, libvirt.VIR_EVENT_HANDLE_WRITABLE
HANGUP = libvirt.VIR_EVENT_HANDLE_HANGUP


@pytest.fixture(autouse=True)
def loop():
    return eventloop.install()


@pytest.fixture
def pipe():
    """Two descriptors. A test that closes one takes it off the list: closed twice, it may be somebody else's."""
    ends = list(os.pipe2(os.O_NONBLOCK))
    yield ends
    for end in ends:
        os.close(end)


class Seen:
    """Callbacks as they come."""

    def __init__(self, then=lambda watch: None):
        self.calls, self.threads = [], set()
        self._then = then
        self._waiting: list[tuple[int, Deferred]] = []

    def __call__(self, watch, *rest):
        self.calls.append(rest[:-1])
        self.threads.add(threading.current_thread())
        self._then(watch)
        for wanted, waiting in tuple(self._waiting):
            if len(self.calls) >= wanted and not waiting.called:
                waiting.callback(None)

    async def count(self, wanted):
        if len(self.calls) < wanted:
            waiting = Deferred()
            self._waiting.append((wanted, waiting))
            await waiting.addTimeout(5, reactor)


def test_there_is_one_loop_in_the_process(loop):
    assert eventloop.install() is loop


@pytest_twisted.ensureDeferred
async def test_a_handle_is_called_when_its_descriptor_is_readable(pipe):
    reading, writing = pipe
    seen = Seen(lambda watch: os.read(reading, 10))
    watch = libvirt.virEventAddHandle(reading, READABLE, seen, None)
    await deferLater(reactor, 0.02)
    assert seen.calls == []
    os.write(writing, b"x")
    await seen.count(1)
    assert seen.calls == [(reading, READABLE)]
    libvirt.virEventRemoveHandle(watch)


@pytest_twisted.ensureDeferred
async def test_a_handle_without_events_rests_until_it_gets_some(pipe):
    reading, writing = pipe
    seen = Seen(lambda watch: os.read(reading, 10))
    watch = libvirt.virEventAddHandle(reading, 0, seen, None)
    os.write(writing, b"x")
    await deferLater(reactor, 0.02)
    assert seen.calls == []
    libvirt.virEventUpdateHandle(watch, READABLE)
    await seen.count(1)
    libvirt.virEventUpdateHandle(watch, 0)
    os.write(writing, b"y")
    await deferLater(reactor, 0.02)
    assert len(seen.calls) == 1
    libvirt.virEventRemoveHandle(watch)


@pytest_twisted.ensureDeferred
async def test_several_handles_share_one_descriptor(pipe):
    _, writing = pipe
    seen = [Seen(lambda watch: libvirt.virEventRemoveHandle(watch)) for _ in range(3)]
    for one in seen:
        libvirt.virEventAddHandle(writing, WRITABLE, one, None)
    for one in seen:
        await one.count(1)
    await deferLater(reactor, 0.02)
    assert [one.calls for one in seen] == [[(writing, WRITABLE)]] * 3


@pytest_twisted.ensureDeferred
async def test_a_hang_up_is_told_once_though_nobody_removes_the_handle(pipe):
    seen = Seen()
    watch = libvirt.virEventAddHandle(pipe[0], READABLE, seen, None)
    await deferLater(reactor, 0.01)
    os.close(pipe.pop())
    await seen.count(1)
    await deferLater(reactor, 0.05)
    assert len(seen.calls) == 1
    assert seen.calls[0][1] & HANGUP
    libvirt.virEventRemoveHandle(watch)


@pytest_twisted.ensureDeferred
async def test_a_descriptor_closed_before_its_handle_is_removed_harms_nobody(pipe):
    reading = pipe.pop(0)
    watch = libvirt.virEventAddHandle(reading, READABLE, Seen(), None)
    await deferLater(reactor, 0.01)
    os.close(reading)
    libvirt.virEventRemoveHandle(watch)
    again, other = os.pipe2(os.O_NONBLOCK)  # likely the same number
    seen = Seen(lambda watch: os.read(again, 10))
    watch = libvirt.virEventAddHandle(again, READABLE, seen, None)
    os.write(other, b"x")
    await seen.count(1)
    libvirt.virEventRemoveHandle(watch)
    os.close(again)
    os.close(other)


@pytest_twisted.ensureDeferred
async def test_a_removed_handle_is_not_called_though_it_was_ready(pipe):
    _, writing = pipe
    seen = Seen()
    watch = libvirt.virEventAddHandle(writing, WRITABLE, seen, None)
    libvirt.virEventRemoveHandle(watch)
    await deferLater(reactor, 0.02)
    assert seen.calls == []


@pytest_twisted.ensureDeferred
async def test_a_timer_repeats_until_it_is_stopped(loop):
    seen = Seen(lambda timer: len(seen.calls) == 3 and libvirt.virEventUpdateTimeout(timer, -1))
    timer = libvirt.virEventAddTimeout(2, seen, None)
    await seen.count(3)
    await deferLater(reactor, 0.03)
    assert len(seen.calls) == 3
    libvirt.virEventUpdateTimeout(timer, 0)
    await seen.count(4)
    libvirt.virEventRemoveTimeout(timer)
    after = len(seen.calls)
    await deferLater(reactor, 0.02)
    assert len(seen.calls) == after


@pytest_twisted.ensureDeferred
async def test_a_timer_below_zero_rests():
    seen = Seen()
    timer = libvirt.virEventAddTimeout(-1, seen, None)
    await deferLater(reactor, 0.02)
    assert seen.calls == []
    libvirt.virEventRemoveTimeout(timer)


@pytest_twisted.ensureDeferred
async def test_wishes_of_many_threads_are_all_granted_in_the_reactor_s_thread():
    seen = [Seen(libvirt.virEventRemoveTimeout) for _ in range(200)]

    def add(some):
        for one in some:
            timer = libvirt.virEventAddTimeout(-1, one, None)
            libvirt.virEventUpdateTimeout(timer, 0)

    threads = [threading.Thread(target=add, args=(seen[at::8],)) for at in range(8)]
    for thread in threads:
        thread.start()
    for one in seen:
        await one.count(1)
    for thread in threads:
        thread.join()
    assert {thread for one in seen for thread in one.threads} == {threading.main_thread()}


@pytest_twisted.ensureDeferred
async def test_what_was_given_along_is_freed_once_and_outside_the_removal(pipe, monkeypatch):
    freed = []
    monkeypatch.setattr(libvirt, "virEventInvokeFreeCallback", freed.append)
    _, writing = pipe
    watch = libvirt.virEventAddHandle(writing, 0, Seen(), None)
    timer = libvirt.virEventAddTimeout(-1, Seen(), None)
    await deferLater(reactor, 0.01)
    libvirt.virEventUpdateHandle(watch, READABLE)
    libvirt.virEventRemoveHandle(watch)
    libvirt.virEventUpdateTimeout(timer, 0)
    libvirt.virEventRemoveTimeout(timer)
    assert freed == [], "libvirt holds locks while it removes"
    await deferLater(reactor, 0.01)
    assert len(freed) == 2


@pytest_twisted.ensureDeferred
async def test_removing_leaves_no_descriptor_behind(pipe):
    _, writing = pipe
    before = os.listdir("/proc/self/fd")
    for _ in range(50):
        watch = libvirt.virEventAddHandle(writing, 0, Seen(), None)
        libvirt.virEventUpdateHandle(watch, READABLE)
        libvirt.virEventRemoveHandle(watch)
    await deferLater(reactor, 0.01)
    assert len(os.listdir("/proc/self/fd")) == len(before)
