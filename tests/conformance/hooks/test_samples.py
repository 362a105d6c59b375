"""The samples in hooks.d do what their first line says, refuse what makes no sense, and leave other machines alone."""

import os
import shutil
from pathlib import Path

import pytest
import pytest_twisted
from lxml import etree

from virgate.hookspecs.errors import HookError

SAMPLES = sorted((Path(__file__).parents[3] / "hooks.d").glob("*/*"))


@pytest.fixture
def installed(bench):
    for sample in SAMPLES:
        folder = bench.root / sample.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(sample, folder)
    return bench


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_a_sample_is_executable_and_lies_in_the_folder_of_a_point(bench, sample):
    assert os.access(sample, os.X_OK)
    assert bench.hooks.points[sample.parent.name].scripts


@pytest_twisted.ensureDeferred
async def test_machines_without_the_properties_are_left_alone(installed, documents):
    assert await installed.start() == documents["domain"]


@pytest_twisted.ensureDeferred
async def test_cpus_are_pinned(installed):
    root = etree.fromstring((await installed.start({"isolate_cpus": "2-3,^4"})).encode())
    assert root.find("vcpu").get("cpuset") == "2-3,^4"


@pytest.mark.parametrize(
    ("wanted", "paths"),
    [
        ("huge", ["hugepages"]),
        ("huge:1G,locked", ["hugepages/page[@size='1'][@unit='G']", "locked"]),
        ("private,huge:2M", ["nosharepages", "hugepages/page[@size='2'][@unit='M']"]),
    ],
)
@pytest_twisted.ensureDeferred
async def test_memory_is_backed(installed, wanted, paths):
    root = etree.fromstring((await installed.start({"memory_backing": wanted})).encode())
    (backing,) = root.iterfind("memoryBacking")
    assert [path for path in paths if backing.find(path) is None] == []


@pytest_twisted.ensureDeferred
async def test_the_console_is_kept(installed):
    root = etree.fromstring((await installed.start({"console_log": "on"})).encode())
    assert root.find("devices/serial/log").attrib == {
        "file": "/var/log/libvirt/qemu/vmα-console.log",
        "append": "on",
    }


@pytest.mark.parametrize("custom", [{"isolate_cpus": "all"}, {"isolate_cpus": "1-"}, {"memory_backing": "gold"}])
@pytest_twisted.ensureDeferred
async def test_what_makes_no_sense_is_refused_with_a_hint(installed, custom):
    with pytest.raises(HookError, match=next(iter(custom))):
        await installed.start(custom)
