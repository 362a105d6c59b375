"""Files for the old command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.domxml import createfile
from virgate.domxml.errors import CannotCreate

WORD = st.from_regex(r"[A-Za-z0-9_./-]{1,8}", fullmatch=True)
NAME = st.from_regex(r"[A-Za-z]{1,8}", fullmatch=True)
STRUCT = st.recursive(
    st.dictionaries(NAME, WORD, max_size=3),
    lambda inner: st.dictionaries(NAME, st.one_of(WORD, inner), max_size=3),
    max_leaves=8,
)


def write(value):
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{write(below)}" for name, below in value.items()) + "}"
    return value


@given(STRUCT)
def test_braces_nest(value):
    assert createfile.spec(write(value)) == value


def test_ids_of_a_flat_spec_lose_nothing():
    assert createfile.spec("pool:p1,domain:d1,image:i1,volume:v1,boot:true") == {
        "poolID": "p1",
        "domainID": "d1",
        "imageID": "i1",
        "volumeID": "v1",
        "boot": "true",
    }


def test_the_first_colon_splits():
    assert createfile.spec("path:a:b") == {"path": "a:b"}
    assert createfile.spec("{path:a:b}") == {"path": "a:b"}


def test_a_plain_word_is_itself():
    assert createfile.spec("/a/b.iso") == "/a/b.iso"
    assert createfile.spec("") == ""


@pytest.mark.parametrize("text", ["{a:b", "{a}", "a:b,c", "{a:b}}", "{a:{b:c}"])
def test_a_spec_that_does_not_close_is_refused(text):
    with pytest.raises(CannotCreate):
        createfile.spec(text)


def test_comments_blank_lines_and_spaces_say_nothing():
    assert createfile.read(["", "  # all", " memSize = 256 # MiB", "launchPaused"]) == {
        "memSize": "256",
        "launchPaused": "",
    }


def test_names_that_come_again_make_lists():
    lines = [
        "devices={type:rng,device:virtio}",
        "devices={type:sound,device:ich6}",
        "drive=pool:p",
        "guestNumaNodes={cpus:0}",
    ]
    assert createfile.read(lines) == {
        "devices": [{"type": "rng", "device": "virtio"}, {"type": "sound", "device": "ich6"}],
        "drives": [{"poolID": "p"}],
        "guestNumaNodes": [{"cpus": "0"}],
    }


def test_a_later_line_wins():
    assert createfile.read(["smp=1", "smp=2"]) == {"smp": "2"}


def test_nested_values_and_media_are_specs():
    lines = ["cpuPinning={0:1}", "numaTune={mode:strict,nodeset:0}", "cdrom=pool:p", "floppy=/a"]
    assert createfile.read(lines) == {
        "cpuPinning": {"0": "1"},
        "numaTune": {"mode": "strict", "nodeset": "0"},
        "cdrom": {"poolID": "p"},
        "floppy": "/a",
    }
