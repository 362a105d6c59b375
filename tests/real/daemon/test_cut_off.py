"""A daemon that ends in the middle of a copy: nothing of it goes on writing, and the next start undoes the copy."""

import os
import signal
import time
from pathlib import Path

import pytest
from contract.storage.room import BLANK, POOL, uuid
from lab.virgated import Running

DOMAIN, IMAGE, COPY = uuid(2), uuid(3), uuid(3, 9)
SLOW = '#!/bin/sh\n[ "$1" = convert ] && {{ shift; exec {real} convert -r 2M "$@"; }}\nexec {real} "$@"\n'
SIZE = 64 << 20


@pytest.fixture
def running(tmp_path):
    """A daemon whose qemu-img copies two megabytes a second."""
    programs = tmp_path / "bin"
    programs.mkdir()
    slow = programs / "qemu-img"
    slow.write_text(SLOW.format(real="/usr/bin/qemu-img"))
    slow.chmod(0o755)
    made = Running(tmp_path, environment={"PATH": f"{programs}:{os.environ['PATH']}"})
    yield made
    made.end()


def ask(running, verb, *arguments):
    answer = getattr(running.api, verb)(*arguments)
    assert answer["status"]["code"] == 0, (verb, answer["status"])
    return answer


def spm(running, folder):
    ask(running, "connectStorageServer", 4, BLANK, [{"id": "c", "connection": str(folder)}])
    ask(running, "connectStoragePool", POOL, 1, POOL, DOMAIN, 1)
    finished(running, ask(running, "spmStart", POOL, -1, "-1", 0, "false", 250)["uuid"])


def finished(running, task):
    running.until(lambda: status(running, task)["taskState"] == "finished", f"task {task} ends")
    return status(running, task)


def status(running, task):
    return ask(running, "getTaskStatus", task)["taskStatus"]


def writers(path):
    """Processes that have a file below the folder open for writing."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(entry).startswith(str(path)) and os.access(entry, os.W_OK):
                found.add(int(entry.parts[2]))
        except OSError:
            pass
    return found


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "asked to end"])
def test_what_a_daemon_was_writing_ends_with_it_and_is_undone_by_the_next(running, tmp_path, how):
    folder = tmp_path / "domain"
    folder.mkdir()
    running.start()
    ask(running, "connectStorageServer", 4, BLANK, [{"id": "c", "connection": str(folder)}])
    ask(running, "createStorageDomain", 4, DOMAIN, "local", str(folder), 1, "5")
    ask(running, "createStoragePool", 0, POOL, "dc", DOMAIN, [DOMAIN], 1)
    spm(running, folder)
    volume = (DOMAIN, POOL, IMAGE, str(SIZE), 5, 2, 2, uuid(4), "", BLANK, BLANK)
    finished(running, ask(running, "createVolume", *volume)["uuid"])
    images = folder / DOMAIN / "images"
    (images / IMAGE / uuid(4)).write_bytes(os.urandom(SIZE))
    copy = (DOMAIN, POOL, BLANK, IMAGE, uuid(4), COPY, uuid(4, 9), "copy", BLANK, 8, 5, 2)
    task = ask(running, "copyImage", *copy)["uuid"]
    target = images / COPY / uuid(4, 9)
    running.until(lambda: target.exists() and target.stat().st_blocks and writers(images), "it copies")
    running.process.send_signal(how)
    running.process.wait(20)
    ends = time.monotonic() + 5
    while writers(folder) and time.monotonic() < ends:
        time.sleep(0.01)
    assert not writers(folder)
    metadata = (folder / DOMAIN / "dom_md" / "metadata").read_text()
    assert ("POOL_SPM_ID=-1" in metadata) is (how == signal.SIGTERM)
    running.start()
    spm(running, folder)
    told = finished(running, task)
    assert told["taskResult"] == "cleanSuccess"
    assert os.listdir(images) == [IMAGE]
