"""The programs that fill volumes, when they fail."""

from pathlib import Path

import pytest
import pytest_twisted

from virgate.node.storage.errors import ProgramFailed
from virgate.node.storage.formats.volume_metadata import VolumeFormat
from virgate.node.storage.images.qemu_img import QemuImg, compat


def program(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("version, level", [(0, "0.10"), (3, "0.10"), (4, "1.1"), (5, "1.1")])
def test_hosts_of_the_domains_version_can_read_the_qcow2(version, level):
    assert compat(version) == level


@pytest_twisted.ensureDeferred
async def test_a_failure_says_the_programs_last_line(tmp_path):
    qemu = QemuImg(program=program(tmp_path, "qemu-img", "echo warning >&2; echo 'no space' >&2; exit 1"))
    for call in (
        qemu.create(tmp_path / "v", 4096, "1.1"),
        qemu.look(tmp_path / "v"),
        qemu.resize(tmp_path / "v", 8192),
        qemu.rebase(tmp_path / "v", "", "", unsafe=True),
        qemu.convert(
            tmp_path / "v", VolumeFormat.RAW, tmp_path / "w", VolumeFormat.COW, report=lambda percent: None, level="1.1"
        ),
    ):
        with pytest.raises(ProgramFailed) as caught:
            await call
        assert (caught.value.reason, caught.value.code) == ("no space", 200)


@pytest_twisted.ensureDeferred
async def test_progress_is_heard_while_a_copy_runs(tmp_path):
    lines = r"printf '    (0.00/100%%)\r    (12.50/100%%)\r    (100.00/100%%)\r'"
    heard = []
    qemu = QemuImg(program=program(tmp_path, "qemu-img", lines))
    await qemu.convert(
        tmp_path / "v", VolumeFormat.RAW, tmp_path / "w", VolumeFormat.RAW, report=heard.append, level="1.1"
    )
    assert heard == [0.0, 12.5, 100.0]


@pytest_twisted.ensureDeferred
async def test_a_file_system_without_allocation_gets_zeros_where_nothing_is_lost(tmp_path):
    qemu = QemuImg(fallocate=program(tmp_path, "fallocate", "echo 'Operation not supported' >&2; exit 1"))
    path = tmp_path / "volume"
    path.write_bytes(b"x" * 4096)
    path.open("r+b").truncate(3 << 20)
    await qemu.allocate(path, 4096, (3 << 20) - 4096)
    assert path.stat().st_blocks * 512 == 4096
    await qemu.allocate(path, 4096, (3 << 20) - 4096, empty=True)
    assert path.stat().st_blocks * 512 >= 3 << 20 and path.stat().st_size == 3 << 20
    assert path.read_bytes()[:4096] == b"x" * 4096


@pytest_twisted.ensureDeferred
async def test_another_failure_to_allocate_is_told(tmp_path):
    qemu = QemuImg(fallocate=program(tmp_path, "fallocate", "echo 'No space left on device' >&2; exit 1"))
    with pytest.raises(ProgramFailed):
        await qemu.allocate(tmp_path / "volume", 0, 4096, empty=True)


@pytest_twisted.ensureDeferred
async def test_nothing_is_allocated_for_no_length(tmp_path):
    await QemuImg(fallocate="/does/not/exist").allocate(Path("/x"), 4096, 0)


@pytest_twisted.ensureDeferred
async def test_a_real_header_is_read(tmp_path):
    qemu = QemuImg()
    await qemu.create(tmp_path / "top", 65536, "1.1", "base", "raw")
    look = await qemu.look(tmp_path / "top")
    assert (look.format, look.virtual_size, look.backing) == ("qcow2", 65536, "base")
