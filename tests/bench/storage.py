"""Copies and lists on the machine itself: a real daemon on a folder, real LVM on loop devices."""

import json
import os
import statistics
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from figures import Figure, in_turn, timed
from lab.virgated import Running
from volumes import BLANK, finish, join, must

GIB = 1 << 30
COPIED = 2 * GIB
RAW, SPARSE, LEAF = 5, 2, 8
LISTED = 1000
CHILD = Path(__file__).with_name("block_list.py")


def copy_against_convert(folder: Path) -> list[Figure]:
    with _pool(folder) as (running, domain, pool):
        source = _raw(running, domain, pool)
        path = folder / "domain" / domain / "images" / source[0] / source[1]
        _fill(path)
        ours, theirs = in_turn(4, lambda: _copied(running, domain, pool, source), lambda: _converted(path, folder))
    return [Figure("copyImage of 2 GiB, raw, against qemu-img convert + fsync", ours, "s", "1.03x", theirs)]


def list_of_files(folder: Path) -> list[Figure]:
    with _pool(folder) as (running, domain, pool):
        image, volume = _raw(running, domain, pool)
        images = folder / "domain" / domain / "images"
        for _ in range(LISTED - 1):
            _another(images, image, volume)
        took = statistics.median(timed(lambda: _listed(running, domain)) for _ in range(10))
    return [Figure("list 1,000 volumes with their metadata, file domain", took * 1000, "ms", "under 300 ms")]


def list_of_logical_volumes(folder: Path) -> list[Figure]:
    """In a process of its own: the reactor runs there."""
    what = "list 1,000 volumes with their metadata, block domain"
    if os.geteuid():
        return [Figure(f"{what}: only root can make its disks", float("nan"), "", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, str(CHILD), str(folder), str(LISTED)]
    told = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout)
    return [
        Figure(what, told["asked"] * 1000, "ms", "under 300 ms"),
        Figure("the lvs in it", told["lvs"] * 1000, "ms", ""),
        Figure("programs run for it", told["programs"], "lvs", "one"),
        Figure("the same on the SPM, who knows its group", told["known"] * 1000, "ms", ""),
    ]


@contextmanager
def _pool(folder: Path) -> Iterator[tuple[Running, str, str]]:
    storage, domain, pool = folder / "domain", str(uuid.uuid4()), str(uuid.uuid4())
    storage.mkdir()
    running = Running(folder).start()
    try:
        join(running, storage, domain, pool)
        yield running, domain, pool
    finally:
        running.end()


def _raw(running: Running, domain: str, pool: str) -> tuple[str, str]:
    image, volume = str(uuid.uuid4()), str(uuid.uuid4())
    order = [domain, pool, image, str(COPIED), RAW, SPARSE, "DATA", volume, "bench", BLANK, BLANK]
    finish(running, must(running.api.createVolume(*order))["uuid"])
    return image, volume


def _fill(path: Path) -> None:
    piece = os.urandom(64 << 20)
    with path.open("r+b") as file:
        for _ in range(COPIED // len(piece)):
            file.write(piece)
        os.fsync(file.fileno())


def _copied(running: Running, domain: str, pool: str, source: tuple[str, str]) -> float:
    target = str(uuid.uuid4()), str(uuid.uuid4())

    def copy() -> None:
        order = [domain, pool, BLANK, *source, *target, "a copy", domain, LEAF, RAW, SPARSE]
        finish(running, must(running.api.copyImage(*order))["uuid"])

    took = timed(copy)
    finish(running, must(running.api.deleteImage(domain, pool, target[0]))["uuid"])
    os.sync()
    return took


def _converted(source: Path, folder: Path) -> float:
    target = folder / "converted"

    def convert() -> None:
        argv = ["qemu-img", "convert", "-p", "-T", "none", "-f", "raw", "-O", "raw", str(source), str(target)]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        with target.open("rb") as file:
            os.fsync(file.fileno())

    took = timed(convert)
    target.unlink()
    os.sync()
    return took


def _another(images: Path, image: str, volume: str) -> None:
    """The same volume, under other names."""
    names = str(uuid.uuid4()), str(uuid.uuid4())
    (images / names[0]).mkdir()
    (images / names[0] / names[1]).touch()
    metadata = (images / image / f"{volume}.meta").read_text()
    (images / names[0] / f"{names[1]}.meta").write_text(metadata.replace(image, names[0]))


def _listed(running: Running, domain: str) -> None:
    found = must(running.api.dumpStorageDomain(domain))["volumes"]
    assert len(found) == LISTED and all(one["status"] == "OK" for one in found), found[:3]
