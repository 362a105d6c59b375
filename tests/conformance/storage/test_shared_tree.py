"""Vector C-12 of spec storage-format: the tree of a shared file domain, with sanlock's records written by us.

A folder stands in for the export, a lock of this host for sanlock; the lab makes the same tree on a real server.
"""

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import ClassVar

import pytest_twisted
from contract.storage.room import BLANK, POOL, Room, uuid

from virgate import hookimpl
from virgate.node.storage.formats import sanlock
from virgate.units import MiB
from virgate_plugins.leases.local import LocalLease
from virgate_plugins.storage.localfs import LocalFolder

DOMAIN, IMAGE, BASE, TOP, CLONES, CLONE = uuid(2), uuid(3), uuid(4), uuid(4, 2), uuid(3, 8), uuid(4, 8)


class Export(LocalFolder):
    name: ClassVar[str] = "NFS"
    number: ClassVar[int] = 1
    block_sizes: ClassVar[tuple[int, ...]] = (512,)

    @classmethod
    def lease(cls, version: int) -> str:
        return "written"


class Written(LocalLease):
    volume_leases: ClassVar[bool] = True

    async def initialize(self) -> None:
        space = self._space
        Path(space.ids).write_bytes(sanlock.lockspace(space.domain, 512, MiB))
        Path(space.leases).write_bytes(bytes(MiB) + sanlock.resource(space.domain, sanlock.SDM, 512, MiB))

    def fresh(self, name: str) -> bytes:
        return sanlock.resource(self._space.domain, name, 512, MiB)[:1024]


class Plugin:
    __name__ = "export"

    @hookimpl(tryfirst=True)
    def storage_domain_type(self, name):
        return Export if name == "nfs" else None

    @hookimpl(tryfirst=True)
    def lease_manager(self, name):
        return Written if name == "written" else None


def tree(folder):
    """Path -> (mode, size) of every file; folders have no size."""
    found = {}
    for path in folder.rglob("*"):
        seen = path.stat()
        found[str(path.relative_to(folder))] = (
            stat.S_IMODE(seen.st_mode),
            None if path.is_dir() else seen.st_size,
        )
    return found


async def exported(room):
    folder = room.folder("dom1")
    await room.ask("connectStorageServer", 1, BLANK, [{"id": "c1", "connection": folder}])
    await room.ask("createStorageDomain", 1, DOMAIN, "data1", folder, 1, "5")
    return room.base / "dom1" / DOMAIN


@pytest_twisted.ensureDeferred
async def test_c12_a_shared_file_domain_and_its_images(tmp_path):
    room = await Room(tmp_path, plugins=[Plugin()]).start()
    try:
        root = await exported(room)
        fresh = tree(root)
        mode, size = fresh.pop("dom_md/metadata")
        assert (mode, size) == (0o644, len((root / "dom_md/metadata").read_bytes()))
        assert fresh == {
            "dom_md": (0o755, None),
            "dom_md/ids": (0o660, 1048576),
            "dom_md/inbox": (0o660, 16777216),
            "dom_md/leases": (0o660, 2097152),
            "dom_md/outbox": (0o660, 16777216),
            "dom_md/xleases": (0o660, 1302528),
            "images": (0o755, None),
        }
        await room.ask("createStoragePool", 0, POOL, "dc1", DOMAIN, [DOMAIN], 1)
        await room.connect()
        await room.start_spm()
        await room.volume(1, size="1073741824")
        await room.volume(2, form=4, parent=(1, 1))
        image = root / "images" / IMAGE
        assert tree(image) == {
            BASE: (0o660, 1073741824),
            f"{BASE}.lease": (0o660, 1048576),
            f"{BASE}.meta": (0o644, (image / f"{BASE}.meta").stat().st_size),
            TOP: (0o660, 196624),
            f"{TOP}.lease": (0o660, 1048576),
            f"{TOP}.meta": (0o644, (image / f"{TOP}.meta").stat().st_size),
        }
        assert (image / f"{TOP}.lease").read_bytes() == sanlock.resource(DOMAIN, TOP, 512, MiB)
        assert "VOLTYPE=INTERNAL" in (image / f"{BASE}.meta").read_text()
        assert f"PUUID={BASE}" in (image / f"{TOP}.meta").read_text()
        looked = subprocess.run(
            ["qemu-img", "info", "--output=json", image / TOP], check=True, capture_output=True, cwd=image
        )
        told = json.loads(looked.stdout)
        assert (told["backing-filename"], told["backing-filename-format"]) == (BASE, "raw")
        assert told["format-specific"]["data"]["compat"] == "1.1"
    finally:
        await room.stop()


@pytest_twisted.ensureDeferred
async def test_c12_a_template_is_linked_and_a_prepared_image_tells_its_leases(tmp_path):
    room = await Room(tmp_path, plugins=[Plugin()]).start()
    try:
        root = await exported(room)
        await room.ask("createStoragePool", 0, POOL, "dc1", DOMAIN, [DOMAIN], 1)
        await room.connect()
        await room.start_spm()
        await room.volume(1, form=4)
        await room.volume(8, image=8, form=4, parent=(1, 1))
        clones = root / "images" / CLONES
        for ending in ("", ".meta", ".lease"):
            assert os.stat(clones / f"{BASE}{ending}").st_nlink == 2
        linked = (clones / f"{BASE}.meta").read_text()
        assert f"IMAGE={IMAGE}" in linked and "VOLTYPE=SHARED" in linked
        prepared = await room.ask("prepareImage", POOL, DOMAIN, CLONES, CLONE)
        told = {
            volume["volumeID"]: (volume["leasePath"], volume["leaseOffset"]) for volume in prepared["imgVolumesInfo"]
        }
        seen = f"{room.storage.domains.known()[DOMAIN].path}/images/{CLONES}"
        assert told == {name: (f"{seen}/{name}.lease", 0) for name in (BASE, CLONE)}
        assert prepared["info"]["leasePath"] == f"{seen}/{CLONE}.lease"
    finally:
        await room.stop()
