"""A program in a process group of its own."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from virgate.run.errors import CannotStart
from virgate.run.group import Group

NULL = subprocess.DEVNULL


def start(argv, ended):
    return Group(argv, ended, stdin=NULL, stdout=NULL, stderr=NULL)


@pytest_twisted.ensureDeferred
async def test_the_end_is_told_with_its_code():
    ended = Deferred()
    group = start(["sh", "-c", "exit 7"], ended.callback)
    assert await ended.addTimeout(5, reactor) == 7
    group.reap()


@pytest_twisted.ensureDeferred
async def test_it_leads_a_session_of_its_own():
    ended = Deferred()
    group = start(["sleep", "30"], ended.callback)
    assert os.getsid(group.pid) == os.getpgid(group.pid) == group.pid != os.getsid(0)
    group.kill()
    assert await ended.addTimeout(5, reactor) == -signal.SIGKILL
    group.reap()


@pytest_twisted.ensureDeferred
async def test_its_number_stays_taken_until_it_is_reaped_and_no_signal_goes_out_after(monkeypatch):
    ended = Deferred()
    group = start(["true"], ended.callback)
    await ended.addTimeout(5, reactor)
    assert Path(f"/proc/{group.pid}").exists()
    group.kill()
    group.reap()
    assert not Path(f"/proc/{group.pid}").exists()
    sent = []
    monkeypatch.setattr(os, "killpg", lambda *given: sent.append(given))
    group.kill()
    assert sent == []


@pytest_twisted.ensureDeferred
async def test_the_reactor_s_own_reaping_of_other_children_does_not_disturb():
    ended = Deferred()
    group = start(["sh", "-c", "exit 3"], ended.callback)
    os.kill(os.getpid(), signal.SIGCHLD)
    await deferLater(reactor, 0.01)
    assert await ended.addTimeout(5, reactor) == 3
    group.reap()


def test_without_a_free_descriptor_nothing_is_left_running(monkeypatch):
    started = []
    popen = subprocess.Popen

    def recording(*args, **kwargs):
        started.append(popen(*args, **kwargs))
        return started[-1]

    def refuse(pid):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(subprocess, "Popen", recording)
    monkeypatch.setattr(os, "pidfd_open", refuse)
    with pytest.raises(CannotStart, match="Too many open files"):
        start(["sleep", "30"], lambda code: None)
    assert started[0].returncode == -signal.SIGKILL


def test_a_name_that_holds_an_equals_sign_is_no_variable():
    with pytest.raises(CannotStart):
        Group(["true"], lambda code: None, stdin=NULL, stdout=NULL, stderr=NULL, env={"a=b": "c"})
