"""What keeps the daemon from running, and the exit code that tells it."""

import pytest

from virgate.daemon.main import main


@pytest.mark.parametrize("which", ["state_dir", "run_dir"])
def test_a_folder_that_others_can_change_is_not_lived_in(tmp_path, capsys, which):
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o1777)
    places = {"state_dir": tmp_path / "state", "run_dir": tmp_path / "run"} | {which: open_to_all}
    code = main(
        [*(f"--set=daemon.{name}={place}" for name, place in places.items()), f"--set=plugins.directories={tmp_path}"]
    )
    assert code == 1
    assert f"{open_to_all} can be changed by anybody" in capsys.readouterr().err
    assert list(open_to_all.iterdir()) == []
