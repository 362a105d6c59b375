"""Settings are read from files and the command line, and what is wrong is said in one line."""

from pathlib import Path
from typing import Literal

import pytest
from attrs.validators import ge
from hypothesis import given
from hypothesis import strategies as st

from virgate.config import SettingsError, load, option, section
from virgate.config.sample import sample


@section("garden")
class Garden:
    """A place."""

    size: int = option(3, "Square metres.", ge(1))
    name: str = option("plot", "What it is called.")
    paths: list[str] = option([], "Ways through it.")
    folder: Path = option(Path("/srv"), "Where it lies.")
    wet: bool | Literal["auto"] = option("auto", "Watered.")
    slope: float = option(0.5, "Metres per metre.")
    key: str = option("", "Of the gate.", secret=True)


def test_without_a_file_every_key_has_its_default():
    assert load()[Garden].size == 3
    assert load().origin("garden", "size") == "default"


def test_conf_d_overrides_the_file_and_set_overrides_both(tmp_path):
    (tmp_path / "main.toml").write_text("[garden]\nsize = 4\nname = 'a'\nslope = 2\n")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/10.toml").write_text("[garden]\nname = 'b'\n")
    settings = load(tmp_path / "main.toml", ["garden.paths=east,west", "garden.wet=false"])
    assert (settings[Garden].size, settings[Garden].name, settings[Garden].slope) == (4, "b", 2.0)
    assert settings[Garden].paths == ["east", "west"]
    assert settings[Garden].wet is False
    assert settings.origin("garden", "name") == str(tmp_path / "conf.d/10.toml")


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("garden.sise=4", "--set: [garden] has no key sise, did you mean size?"),
        ("gardn.size=4", "--set: there is no section [gardn], did you mean garden?"),
        ("garden.size=big", "--set: [garden] size = 'big': expected an integer"),
        ("garden.size=true", "--set: [garden] size = True: expected an integer"),
        ("garden.size=0", "--set: [garden] size = 0: 'size' must be >= 1: 0"),
        ("garden.wet=2", "--set: [garden] wet = 2: expected true or false or 'auto'"),
        ("garden", "--set garden: expected section.key=value"),
    ],
)
def test_a_wrong_key_or_value_is_one_line_with_the_nearest_name(assignment, said):
    with pytest.raises(SettingsError) as caught:
        load(None, [assignment]).check()
    assert str(caught.value) == said


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "main.toml").write_text("[garden\n")
    with pytest.raises(SettingsError, match=r"main\.toml: Expected"):
        load(tmp_path / "main.toml")
    with pytest.raises(SettingsError, match="No such file"):
        load(tmp_path / "none.toml")


@given(name=st.text(st.characters(exclude_categories=["Cs", "Cc"])), paths=st.lists(st.text("ab c\"\\'", max_size=5)))
def test_a_dump_reads_back_as_the_same_settings(tmp_path_factory, name, paths):
    settings = load()
    settings._built[Garden] = Garden(name=name, paths=paths)
    file = tmp_path_factory.mktemp("dump") / "x.toml"
    file.write_text(sample(settings))
    assert load(file)[Garden] == Garden(name=name, paths=paths)


def test_a_secret_is_not_dumped():
    assert "open sesame" not in sample(load(None, ["garden.key=open sesame"]))


def test_a_wrong_secret_is_not_told():
    with pytest.raises(SettingsError) as wrong:
        load(None, ["garden.key=[1, 2, 4711]"])[Garden]
    assert "4711" not in str(wrong.value)
    assert "[garden] key" in str(wrong.value)
