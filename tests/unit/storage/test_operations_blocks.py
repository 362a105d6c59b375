"""Blocks on real files: read past the cache, written where they belong and nowhere else."""

from pathlib import Path

import pytest

from virgate.node.storage.operations.blocks import (
    BLOCK,
    length_of_device,
    read_blocks,
    read_used_blocks,
    write_blocks,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "inbox"
    path.write_bytes(bytes(8 * BLOCK))
    return path


def test_what_is_written_is_read_at_the_same_place(file: Path) -> None:
    write_blocks(str(file), 3 * BLOCK, b"\x05" * BLOCK)
    assert read_blocks(str(file), 3 * BLOCK, BLOCK) == b"\x05" * BLOCK
    assert file.read_bytes() == bytes(3 * BLOCK) + b"\x05" * BLOCK + bytes(4 * BLOCK)


def test_many_blocks_are_written_at_once(file: Path) -> None:
    write_blocks(str(file), 0, b"\x06" * (8 * BLOCK))
    assert file.read_bytes() == b"\x06" * (8 * BLOCK)


def test_only_blocks_that_are_used_come_back(file: Path) -> None:
    write_blocks(str(file), 2 * BLOCK, bytes(BLOCK - 1) + b"\x01")
    assert read_used_blocks(str(file), 8) == [(2, bytes(BLOCK - 1) + b"\x01")]
    assert read_used_blocks(str(file), 2) == []


def test_a_file_that_is_too_short_is_read_to_its_end(file: Path) -> None:
    file.write_bytes(b"\x01" * (BLOCK + 10))
    assert read_blocks(str(file), BLOCK, 4 * BLOCK) == b"\x01" * 10
    assert read_blocks(str(file), 2 * BLOCK, BLOCK) == b""
    assert [number for number, _ in read_used_blocks(str(file), 250)] == [0, 1]


def test_a_file_is_not_made_longer(file: Path) -> None:
    with pytest.raises(OSError, match="No space"):
        write_blocks(str(file), 8 * BLOCK, bytes(BLOCK))
    assert file.stat().st_size == 8 * BLOCK


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_blocks(str(tmp_path / "inbox"), 0, bytes(BLOCK))
    assert not (tmp_path / "inbox").exists()


def test_files_and_missing_things_are_no_devices(file: Path, tmp_path: Path) -> None:
    assert length_of_device(str(file)) is None
    assert length_of_device(str(tmp_path / "nothing")) is None
