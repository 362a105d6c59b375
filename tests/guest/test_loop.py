"""Descriptors, timers and signals of the one poll."""

import contextlib
import os
import select
import signal

import pytest

from virgate_guest.errands import Errands
from virgate_guest.loop import Loop


@pytest.fixture
def loop():
    kept = {number: signal.getsignal(number) for number in (signal.SIGCHLD, signal.SIGIO, signal.SIGUSR1)}
    waker = signal.set_wakeup_fd(-1)
    yield Loop()
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)


def test_timers_ring_in_their_order_and_cancelled_ones_do_not(loop):
    rung = []
    loop.after(0.002, lambda: rung.append("second"))
    loop.after(0.001, lambda: rung.append("first"))
    loop.after(0.0015, lambda: rung.append("never")).cancel()
    while len(rung) < 2:
        loop.turn()
    assert rung == ["first", "second"]


def test_a_callback_that_fails_ends_nothing(loop, capfd):
    rung = []
    loop.after(0, lambda: 1 / 0)
    loop.after(0, lambda: rung.append("still here"))
    while not rung:
        loop.turn()
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_signals_are_served_by_the_loop(loop):
    heard = []
    loop.on_signal(signal.SIGUSR1, lambda: heard.append("user"))
    os.kill(os.getpid(), signal.SIGUSR1)
    while not heard:
        loop.turn()
    assert heard == ["user"]


def test_what_was_seen_of_a_closed_file_is_not_told_to_another_with_its_number(loop, pipe):
    """Both are ready in one poll; the first callback closes the second and a new file gets its number."""
    first, second = os.pipe(), os.pipe()
    for _, end in (first, second):
        os.write(end, b"x")
    told, made = [], []

    def close_second(events):
        loop.unwatch(first[0])
        loop.unwatch(second[0])
        os.close(second[0])
        made.append(os.dup(pipe[0]))
        loop.watch(made[0], select.POLLIN, lambda events: told.append("the new file"))

    low, high = sorted((first, second))
    first, second = low, high
    loop.watch(first[0], select.POLLIN, close_second)
    loop.watch(second[0], select.POLLIN, lambda events: told.append("the old file"))
    loop.turn()
    assert made == [second[0]]
    assert told == []
    for end in (first[0], first[1], second[1], made[0]):
        os.close(end)


def finished(loop, start):
    """Runs a child; its status and output."""
    ended = []
    start(Errands(loop), lambda code, output: ended.append((code, output)))
    while not ended:
        loop.turn()
    assert len(ended) == 1
    return ended[0]


def test_a_program_gets_its_arguments_its_input_and_no_environment_of_ours(loop, monkeypatch):
    monkeypatch.setenv("SECRET", "of the agent's caller")
    argv = ["/bin/sh", "-c", 'cat; echo "$1 $SECRET$MORE"; exit 3', "sh", "an argument; true"]
    code, output = finished(loop, lambda errands, done: errands.run(argv, done, 30, b"input ", MORE="more"))
    assert (code, output) == (3, b"input an argument; true more\n")


def test_a_program_that_is_not_there_fails_alone(loop, capfd):
    code, output = finished(loop, lambda errands, done: errands.run(["/nowhere/program"], done, 30))
    assert (code, output) == (127, b"")


def test_a_question_is_answered_by_a_copy(loop):
    code, output = finished(loop, lambda errands, done: errands.ask(lambda: b"x" * 300000, done, 30))
    assert (code, len(output)) == (0, 300000)


def test_a_child_that_hangs_is_given_up_with_all_its_children(loop):
    argv = ["/bin/sh", "-c", "sleep 1000 & sleep 1000"]
    assert finished(loop, lambda errands, done: errands.run(argv, done, 0.05)) == (None, b"")


def test_a_child_has_ended_also_when_its_own_child_keeps_the_pipe(loop):
    argv = ["/bin/sh", "-c", "sleep 3 & echo done"]
    assert finished(loop, lambda errands, done: errands.run(argv, done, 30)) == (0, b"done\n")
