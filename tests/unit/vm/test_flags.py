"""The launch flags file of spec hooks 2.7."""

from pathlib import Path

import pytest

from virgate.node.vm import flags
from virgate.node.vm.errors import BadLaunchFlags


def test_the_file_is_a_bare_integer_under_the_machines_folder(tmp_path: Path) -> None:
    flags.write(tmp_path, "v1", 1)
    assert (tmp_path / "v1" / "launchflags").read_bytes() == b"1"
    assert flags.read(tmp_path, "v1") == 1


@pytest.mark.parametrize(("content", "value"), [("9\n", 9), ("  8 ", 8), ("3\nrest", 3)])
def test_a_script_may_leave_blanks_and_lines(tmp_path: Path, content: str, value: int) -> None:
    flags.write(tmp_path, "v1", 0)
    flags.path(tmp_path, "v1").write_text(content)
    assert flags.read(tmp_path, "v1") == value


def test_a_missing_file_is_zero(tmp_path: Path) -> None:
    assert flags.read(tmp_path, "v1") == 0


@pytest.mark.parametrize("content", ["", "0x1", "paused"])
def test_anything_but_an_integer_is_refused(tmp_path: Path, content: str) -> None:
    flags.write(tmp_path, "v1", 0)
    flags.path(tmp_path, "v1").write_text(content)
    with pytest.raises(BadLaunchFlags):
        flags.read(tmp_path, "v1")


def test_removing_is_quiet_when_nothing_is_there_and_leaves_what_scripts_put_in(tmp_path: Path) -> None:
    flags.remove(tmp_path, "v1")
    flags.write(tmp_path, "v1", 0)
    (tmp_path / "v1" / "note").write_text("x")
    flags.remove(tmp_path, "v1")
    assert not flags.path(tmp_path, "v1").exists()
    assert (tmp_path / "v1" / "note").exists()
    (tmp_path / "v1" / "note").unlink()
    flags.remove(tmp_path, "v1")
    assert not (tmp_path / "v1").exists()
