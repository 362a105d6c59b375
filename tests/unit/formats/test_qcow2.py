"""The header of a qcow2 file tells which other files QEMU would read; real ones by qemu-img, wrong ones by hand."""

import struct
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.storage.formats.qcow2 import MAGIC, START, BrokenHeader, Header, decode

MEGABYTE = 1 << 20


def made(folder, *options):
    path = folder / "x"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, str(path), "1M"], check=True)
    return path.read_bytes()[:START]


@pytest.mark.parametrize("level", ["0.10", "1.1"])
@pytest.mark.parametrize("form", ["raw", "qcow2"])
def test_the_backing_file_and_its_format_are_read(tmp_path, level, form):
    start = made(tmp_path, "-o", f"compat={level}", "-u", "-b", "base-volume", "-F", form)
    assert decode(start) == Header("base-volume", form, virtual_size=MEGABYTE)


@pytest.mark.parametrize("level", ["0.10", "1.1"])
def test_a_file_on_its_own_leads_nowhere(tmp_path, level):
    assert decode(made(tmp_path, "-o", f"compat={level}")) == Header(virtual_size=MEGABYTE)


def test_a_data_file_is_seen(tmp_path):
    start = made(tmp_path, "-o", f"data_file={tmp_path}/elsewhere,data_file_raw=on")
    assert decode(start) == Header(data_file=True, virtual_size=MEGABYTE)


def test_what_is_no_qcow2_file_has_no_header():
    assert decode(b"") is None
    assert decode(b"\0" * 512) is None


def test_a_name_outside_of_what_was_read_is_refused():
    with pytest.raises(BrokenHeader, match="too far behind"):
        decode(struct.pack(">4sIQI", MAGIC, 2, START, 8) + b"\0" * 200)
    with pytest.raises(BrokenHeader, match="ends too early"):
        decode(MAGIC + b"\0\0\0\3")


@given(st.binary(max_size=300), st.sampled_from([2, 3]))
def test_noise_after_the_magic_is_a_header_or_is_refused(noise, version):
    try:
        decode(MAGIC + struct.pack(">I", version) + noise)
    except BrokenHeader:
        pass
