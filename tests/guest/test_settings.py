"""Files of the old agent's format."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate_guest.settings import OPTIONS, Settings, load, parse

SAMPLE = Path(__file__).parents[2] / "guest/virgate-guest.conf"


def test_every_key_has_an_attribute_and_its_default():
    settings = Settings()
    for name in OPTIONS:
        assert hasattr(Settings, name)
    assert (settings.heart_beat_rate, settings.report_disk_usage) == (5, 300)
    assert "tmpfs" in settings.ignored_fs
    assert settings.device_prefix == "/dev/virtio-ports/"


def test_an_old_agents_file_is_understood():
    found = parse(
        "[general]\nheart_beat_rate = 7\nignored_nics: docker0\n  veth*\n; no\n# no\n[virtio]\nDevice_Prefix=/d/\n"
    )
    settings = Settings(found)
    assert (settings.heart_beat_rate, settings.ignored_nics, settings.device_prefix) == (7, ["docker0", "veth*"], "/d/")


@pytest.mark.parametrize("value", ["soon", "-1", "nan", "inf", "1e99"])
def test_a_value_that_is_none_leaves_the_default(value, capfd):
    assert Settings({("general", "heart_beat_rate"): value}).heart_beat_rate == 5
    assert "heart_beat_rate" in capfd.readouterr().err


@pytest.mark.parametrize(("value", "truth"), [("False", False), ("no", False), ("0", False), ("TRUE", True)])
def test_a_truth_is_read_as_one(value, truth):
    assert Settings({("general", "ignore_zero_size_fs"): value}).ignore_zero_size_fs is truth


def test_the_last_file_wins_and_missing_ones_do_not_matter(tmp_path):
    for name, rate in (("old", 6), ("new", 8)):
        (tmp_path / name).write_text(f"[general]\nheart_beat_rate = {rate}\n")
    paths = tuple(str(tmp_path / name) for name in ("old", "none", "new"))
    assert load(paths).heart_beat_rate == 8


@given(st.text())
def test_no_file_is_too_strange(content):
    Settings(parse(content))


def test_the_shipped_file_tells_every_key_and_its_default():
    opened = re.sub(r"^# (\w+ =)", r"\1", SAMPLE.read_text(), flags=re.M)
    opened = re.sub(r"^# {5}", "     ", re.sub(r"^#     ", "     ", opened, flags=re.M), flags=re.M)
    found = parse(opened)
    assert {name for _, name in found} == set(OPTIONS)
    for (section, name), value in found.items():
        assert (section, value) == (OPTIONS[name][0], OPTIONS[name][2].strip())
