"""The volumes that disks of KVM are copied into."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from virgate.libvirt.fetching import Target


def prepared(path: Path, size: int = 0) -> str:
    path.write_bytes(b"o" * size)
    return str(path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.sampled_from([bytes(5000), b"x" * 3000, b"", b"\0\1" * 10]), max_size=6), st.integers(0, 9000))
def test_a_volume_holds_what_was_sent_and_is_no_shorter_than_it_was(
    tmp_path: Path, pieces: list[bytes], size: int
) -> None:
    target = Target(prepared(tmp_path / "volume", size), 1 << 20)
    for piece in pieces:
        target.write(piece)
    target.close()
    sent = b"".join(pieces)
    assert (tmp_path / "volume").read_bytes() == sent.ljust(size, b"\0")
    assert target.place == len(sent)


def test_what_is_empty_takes_no_room(tmp_path: Path) -> None:
    target = Target(prepared(tmp_path / "volume"), 64 << 20)
    for _ in range(32):
        target.write(bytes(1 << 20))
    target.close()
    seen = (tmp_path / "volume").stat()
    assert seen.st_size == 32 << 20 and seen.st_blocks == 0


def test_a_source_that_sends_too_much_is_refused(tmp_path: Path) -> None:
    target = Target(prepared(tmp_path / "volume"), 1000)
    target.write(b"x" * 1000)
    with pytest.raises(OSError, match="more than the disk's size"):
        target.write(b"x")
    target.close()
    assert (tmp_path / "volume").stat().st_size == 1000
