"""Room that the base of a merge is given on block storage: enough for any two volumes, and not twice as much as that.

The volumes are files here, which take what they need.
"""

import subprocess
from types import SimpleNamespace

import pytest
import pytest_twisted
from attrs import frozen
from real.storage.test_sdm import qemu_io

from virgate.node.storage.images.qemu_img import QemuImg
from virgate.node.storage.sdm.merging import ColdMerge

MIB = 1 << 20
CAPACITY = 10 * MIB

WRITES = {
    "nothing": ([], []),
    "the same": (["write 0 4M"], ["write 0 4M"]),
    "side by side": (["write 0 4M"], ["write 4M 4M"]),
    "all": (["write 0 10M"], ["write 0 10M"]),
    "zeros over data": (["write 0 6M"], ["write -z 0 6M", "write 6M 4M"]),
    "zeros alone": ([], ["write -z 0 10M"]),
    "holes": (["write 0 8M", "discard 1M 3M"], ["write 0 10M"]),
    "pieces": ([f"write {n * 192}k 64k" for n in range(40)], [f"write {n * 320}k 128k" for n in range(25)]),
}


@frozen
class Folder:
    """A domain, and its images."""

    folder: object

    @property
    def images(self):
        return self

    def path(self, image, volume):
        return self.folder / volume


def create(path, level, parent, form):
    options = ["-q", "-f", "qcow2", "-o", f"compat={level}", "-b", parent, "-F", form]
    subprocess.run(["qemu-img", "create", *options, str(path), str(CAPACITY)], check=True)


@pytest.mark.parametrize("levels", [("1.1", "1.1"), ("0.10", "0.10"), ("0.10", "1.1")], ids=["new", "old", "upgraded"])
@pytest.mark.parametrize("below, above", WRITES.values(), ids=WRITES)
@pytest_twisted.ensureDeferred
async def test_a_merge_never_needs_more_than_it_is_given(tmp_path, below, above, levels):
    (tmp_path / "raw").write_bytes(b"x" * CAPACITY)
    base, top = tmp_path / "base", tmp_path / "top"
    create(base, levels[0], "raw", "raw")
    create(top, levels[1], "base", "qcow2")
    for path, commands in ((base, below), (top, above)):
        if commands:
            qemu_io(str(path), "qcow2", *commands)
    qemu, volumes = QemuImg(), [SimpleNamespace(id=name) for name in ("base", "top")]
    given = await ColdMerge(None, None, qemu)._room(Folder(tmp_path), "", *volumes)
    before = await qemu.end(base)
    await qemu.merge_down(top, report=lambda percent: None)
    assert await qemu.end(base) <= given <= min(before + CAPACITY + MIB, CAPACITY + 4 * MIB)
