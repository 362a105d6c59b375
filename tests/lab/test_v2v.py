"""An OVA imported by the real virt-v2v, whose own machine runs under software emulation (about a minute)."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real.whole.house import House, new_id

from lab.guests import PROJECT
from lab.libvirtd import passing_libvirtd
from lab.tiny_debian import SIZE, START, Kernel, make_ova, run


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path / "kernel")


@pytest.fixture
def house(kernel: Kernel) -> Iterator[House]:
    """In a folder with a short name, as a daemon's usual ones are: sockets must fit below it."""
    with (
        tempfile.TemporaryDirectory(prefix="v2v-") as home,
        passing_libvirtd(cache=PROJECT / "build/lab/libvirt-cache") as libvirtd,
    ):
        for name in ("plugins.d", "hooks.d"):
            (Path(home) / name).mkdir()
        made = House(Path(home), libvirtd, kernel.environment)
        try:
            made.start()
            made.make_pool()
            yield made
        finally:
            made.close()


@pytest.mark.timeout(600)
def test_the_real_converter_imports_an_ova(house: House, kernel: Kernel, tmp_path: Path) -> None:
    ova, before = make_ova(tmp_path, kernel), temporary()
    assert house.ask("getExternalVmFromOva", str(ova))["vmList"]["disks"][0]["capacity"] == str(SIZE)
    disk = house.make_volume(size=SIZE)
    wish: dict[str, object] = {
        "vmName": "tiny",
        "poolID": house.pool,
        "domainID": house.domain,
        "format": "raw",
        "allocation": "sparse",
    }
    wish["disks"] = [disk]
    for end in (lambda job: house.ask("abortV2VJob", job), lambda job: house.kill()):
        job = new_id()
        house.ask("convertExternalVmFromOva", str(ova), wish, job)
        house.until(lambda job=job: any("qemu" in one for one in processes(job)), "the converter's machine runs", 60)
        end(job)
        wait_until(lambda job=job: not processes(job))
    house.start()
    house.rejoin()
    job = new_id()
    volume = house.folder / house.domain / "images" / disk["imageID"] / disk["volumeID"]
    metadata = volume.with_name(f"{volume.name}.meta").read_text()
    house.ask("convertExternalVmFromOva", str(ova), wish, job)

    def told() -> dict[str, object]:
        return dict(house.ask("getVdsStats")["info"].get("v2vJobs", {}).get(job, {"status": "unknown"}))

    house.until(lambda: told()["status"] in ("done", "error"), "the import is over", 500)
    assert told() == {"status": "done", "progress": 100, "description": "Copying disk 1/1"}, house.said()
    ovf = house.ask("getConvertedVm", job)["ovf"]
    assert "<Name>tiny</Name>" in ovf and disk["volumeID"] in ovf
    assert looks_converted(volume, tmp_path / "partition")
    assert volume.with_name(f"{volume.name}.meta").read_text() == metadata
    for left in temporary() - before:  # of the two that were killed: the converter makes it there whatever it is told
        assert all(one.is_socket() for one in left.iterdir()), "more than sockets are left of a conversion"
        shutil.rmtree(left)
    assert house.prepared() == [] and not (house.home / "state/v2v" / job).exists()
    house.ask("deleteV2VJob", job)


def temporary() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("v2v*.*"))


def processes(job: str) -> list[str]:
    """Command lines of whatever was started for a job: all of them have its folder in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if job.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
    return found


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.05)


def looks_converted(volume: Path, work: Path) -> bool:
    """The file system is whole, and the converter left its script for the first boot."""
    subprocess.run(["dd", f"if={volume}", f"of={work}", "bs=1M", f"skip={START >> 20}", "status=none"], check=True)
    run("e2fsck", "-fn", work)
    return "virt-sysprep" in run("debugfs", "-R", "ls -p /usr/lib", work)
