"""What a client may want of a server, and the words that qemu-nbd gets for it."""

import json
from pathlib import Path

import pytest
from contract.storage.room import uuid
from hypothesis import given
from hypothesis import strategies as st

from virgate.errors import InvalidParameter
from virgate.node.storage.nbd.wish import Wish

IDS = {"sd_id": uuid(2), "img_id": uuid(3), "vol_id": uuid(4)}
DISK, SOCKET = Path("/images/disk"), Path("/run/nbd/a.sock")


def argv(form="qcow2", direct=False, **wish):
    return Wish.read({**IDS, **wish}).argv(DISK, form, SOCKET, direct=direct)


def test_a_plain_wish_is_a_chain_that_may_be_written():
    assert argv() == [
        "qemu-nbd",
        "--socket=/run/nbd/a.sock",
        "--persistent",
        "--shared=8",
        "--cache=writeback",
        "--discard=ignore",
        "--format=qcow2",
        "--",
        "/images/disk",
    ]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"readonly": True}, ["--read-only"]),
        ({"discard": True}, ["--discard=unmap"]),
        ({"detect_zeroes": True}, ["--discard=ignore", "--detect-zeroes=on"]),
        ({"detect_zeroes": True, "discard": True}, ["--discard=unmap", "--detect-zeroes=unmap"]),
        ({"readonly": True, "bitmap": "b"}, ["--read-only", "--bitmap=b"]),
        ({"direct": True}, ["--cache=none"]),
        ({"form": "raw", "backing_chain": False}, ["--format=raw"]),
        ({"bitmap": None}, ["--format=qcow2"]),
    ],
)
def test_every_part_of_a_wish_has_its_word(wish, words):
    assert [word for word in argv(**wish) if word in words] == words


def test_a_volume_without_its_chain_is_opened_without_what_its_header_names():
    assert json.loads(argv(backing_chain=False)[-1].removeprefix("json:")) == {
        "driver": "qcow2",
        "backing": None,
        "file.filename": "/images/disk",
    }


@pytest.mark.parametrize(
    "wish",
    [
        {"bitmap": "b"},
        {"bitmap": "b", "readonly": True, "backing_chain": False},
        {"bitmap": "x" * 1024, "readonly": True},
        {"bitmap": "\0", "readonly": True},
        {"bitmap": 1, "readonly": True},
        {"readonly": "true"},
        {"discard": 1},
        {"vol_id": "../x"},
    ],
)
def test_what_makes_no_sense_is_refused(wish):
    with pytest.raises(InvalidParameter):
        argv(**wish)


@given(st.text(min_size=1, max_size=1023).filter(lambda name: "\0" not in name))
def test_a_name_is_never_a_word_of_its_own(name):
    words = argv(readonly=True, bitmap=name)
    assert words.count(f"--bitmap={name}") == 1
    assert len(words) == len(argv(readonly=True)) + 1
