"""What only root, the daemon's user and the daemon's group can change is trusted."""

import os

import pytest

from virgate.config.trust import distrusted

NOBODY = 65534


@pytest.fixture(params=["file", "folder"])
def place(request, tmp_path):
    made = tmp_path / "place"
    made.touch() if request.param == "file" else made.mkdir()
    made.chmod(0o755)
    return made


@pytest.mark.parametrize(
    ("mode", "user", "group", "reason"),
    [
        (0o755, -1, -1, ""),
        (0o700, 0, 0, ""),
        (0o775, -1, os.getegid(), ""),
        (0o775, -1, NOBODY, f"can be changed by group {NOBODY}"),
        (0o755, -1, NOBODY, ""),
        (0o757, -1, -1, "can be changed by anybody"),
        (0o1777, -1, -1, "can be changed by anybody"),
        (0o755, NOBODY, -1, f"belongs to user {NOBODY}"),
    ],
)
def test_owner_and_mode_decide(place, mode, user, group, reason):
    os.chown(place, user, group)
    place.chmod(mode)
    found = distrusted(place)
    assert found.startswith(reason) if reason else found == ""
