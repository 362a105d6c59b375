"""createVolume, from the call to the task's end, against qemu-img create and fsync."""

import os
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

from figures import Figure, in_turn, timed
from lab.virgated import Running

BLANK = "00000000-0000-0000-0000-000000000000"
SIZE = str(10 << 30)


def create_against_qemu_img(folder: Path) -> list[Figure]:
    storage, plain = folder / "domain", folder / "plain"
    for one in (storage, plain):
        one.mkdir()
    running = Running(folder).start()
    try:
        domain, pool = str(uuid.uuid4()), str(uuid.uuid4())
        join(running, storage, domain, pool)
        ours, theirs = in_turn(
            100, lambda: timed(lambda: create(running, domain, pool)), lambda: timed(lambda: qemu_img(plain))
        )
        return [Figure("createVolume (cow, file) to task finished", ours * 1000, "ms", "1.6x", theirs * 1000)]
    finally:
        running.end()


def join(running: Running, storage: Path, domain: str, pool: str) -> None:
    must(running.api.connectStorageServer(4, BLANK, [{"id": "1", "connection": str(storage)}]))
    must(running.api.createStorageDomain(4, domain, "bench", str(storage), 1, "5"))
    must(running.api.createStoragePool(4, pool, "bench", domain, [domain], 1, "ON", 5, 60, 10, 3))
    must(running.api.connectStoragePool(pool, 1, pool, domain, 1))
    finish(running, must(running.api.spmStart(pool, -1, "-1", 0, "false", 250, "5"))["uuid"])


def create(running: Running, domain: str, pool: str) -> None:
    image, volume = str(uuid.uuid4()), str(uuid.uuid4())
    made = running.api.createVolume(domain, pool, image, SIZE, 4, 2, "DATA", volume, "bench", BLANK, BLANK)
    finish(running, must(made)["uuid"])


def finish(running: Running, task: str) -> None:
    while True:
        status = must(running.api.getTaskStatus(task))["taskStatus"]
        if status["taskState"] == "finished":
            if status["taskResult"] != "success":
                raise RuntimeError(str(status))
            return
        time.sleep(0.001)


def must(answer: Any) -> dict[str, Any]:
    if answer["status"]["code"]:
        raise RuntimeError(str(answer["status"]))
    return dict(answer)


def qemu_img(folder: Path) -> None:
    path = folder / str(uuid.uuid4())
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", "compat=1.1", str(path), SIZE]
    subprocess.run(argv, check=True)
    file = os.open(path, os.O_RDWR)
    os.fsync(file)
    os.close(file)
