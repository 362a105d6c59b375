"""Our empty qcow2 files against those of qemu-img: it finds them sound, and they differ in no byte that matters."""

import json
import subprocess

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from virgate.errors import InvalidParameter
from virgate.node.storage.formats.qcow2 import Header, decode
from virgate.node.storage.formats.qcow2_empty import CLUSTER, empty

TIB = 1 << 40
LEVELS = st.sampled_from(["0.10", "1.1"])
SLOW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def written(path, made):
    with path.open("wb") as file:
        for offset, piece in made.pieces:
            file.seek(offset)
            file.write(piece)
        file.truncate(made.length)
    return path


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def seen(path):
    told = json.loads(run("qemu-img", "info", "-f", "qcow2", "--output=json", str(path)))
    for name in ("filename", "actual-size", "children"):
        told.pop(name, None)
    return told


@SLOW
@given(size=st.integers(0, 8 * TIB), level=LEVELS)
@example(size=0, level="1.1")
@example(size=1, level="0.10")
@example(size=70 * TIB, level="1.1")
@example(size=1 << 30, level="1.1")
def test_they_are_what_qemu_img_makes(tmp_path, size, level):
    ours, theirs = written(tmp_path / "ours", empty(size, level)), tmp_path / "theirs"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-o", f"compat={level}", str(theirs), str(size))
    assert ours.stat().st_size == theirs.stat().st_size
    assert seen(ours) == seen(theirs)
    with ours.open("rb") as one, theirs.open("rb") as other:
        assert one.read(104)[8:20] == other.read(104)[8:20]
        for file in (one, other):
            file.seek(CLUSTER)
        assert one.read() == other.read()
    run("qemu-img", "check", "-q", "-f", "qcow2", str(ours))


@pytest.mark.parametrize("level", ["0.10", "1.1"])
@pytest.mark.parametrize("form", ["raw", "qcow2"])
def test_they_are_based_on_what_they_name(tmp_path, level, form):
    name = "7f6e5d4c-3b2a-4190-8f7e-6d5c4b3a2910"
    run("qemu-img", "create", "-q", "-f", form, str(tmp_path / name), "1M")
    run("qemu-io", "-f", form, "-c", "write -P 7 0 64k", str(tmp_path / name))
    ours = written(tmp_path / "ours", empty(1 << 20, level, name, form))
    assert decode(ours.read_bytes()[: 1 << 16]) == Header(name, form, virtual_size=1 << 20)
    run("qemu-img", "compare", "-f", "qcow2", "-F", form, str(ours), str(tmp_path / name))
    run("qemu-io", "-f", "qcow2", "-c", "write -P 9 64k 128k", "-c", "read -P 7 0 64k", str(ours))
    run("qemu-img", "check", "-q", "-f", "qcow2", str(ours))


def test_a_guest_can_fill_one_to_its_end(tmp_path):
    ours = written(tmp_path / "ours", empty(3 << 20, "1.1"))
    run("qemu-io", "-f", "qcow2", "-c", "write -P 5 0 3M", str(ours))
    run("qemu-img", "check", "-q", "-f", "qcow2", str(ours))


@pytest.mark.parametrize(
    ("size", "level", "backing"), [(-512, "1.1", ""), (1 << 52, "1.1", ""), (1, "2", ""), (1, "1.1", "x" * 1024)]
)
def test_what_qcow2_cannot_hold_is_refused(size, level, backing):
    with pytest.raises(InvalidParameter):
        empty(size, level, backing, "raw")
