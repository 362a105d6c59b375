"""An OVA imported by the real virt-v2v, whose own machine runs under software emulation (about a minute)."""

import subprocess
from collections.abc import Iterator
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
def house(tmp_path: Path, kernel: Kernel) -> Iterator[House]:
    for name in ("plugins.d", "hooks.d"):
        (tmp_path / name).mkdir()
    with passing_libvirtd(cache=PROJECT / "build/lab/libvirt-cache") as libvirtd:
        made = House(tmp_path, libvirtd, kernel.environment)
        try:
            made.start()
            made.make_pool()
            yield made
        finally:
            made.close()


@pytest.mark.timeout(600)
def test_the_real_converter_imports_an_ova(house: House, kernel: Kernel, tmp_path: Path) -> None:
    ova = make_ova(tmp_path, kernel)
    assert house.ask("getExternalVmFromOva", str(ova))["vmList"]["disks"][0]["capacity"] == str(SIZE)
    disk, job = house.make_volume(size=SIZE), new_id()
    volume = house.folder / house.domain / "images" / disk["imageID"] / disk["volumeID"]
    metadata = volume.with_name(f"{volume.name}.meta").read_text()
    wish = {"vmName": "tiny", "poolID": house.pool, "domainID": house.domain, "format": "raw", "allocation": "sparse"}
    house.ask("convertExternalVmFromOva", str(ova), wish | {"disks": [disk]}, job)

    def told() -> dict[str, object]:
        return dict(house.ask("getVdsStats")["info"].get("v2vJobs", {}).get(job, {"status": "unknown"}))

    house.until(lambda: told()["status"] in ("done", "error"), "the import is over", 500)
    assert told() == {"status": "done", "progress": 100, "description": "Copying disk 1/1"}, house.said()
    ovf = house.ask("getConvertedVm", job)["ovf"]
    assert "<Name>tiny</Name>" in ovf and disk["volumeID"] in ovf
    assert looks_converted(volume, tmp_path / "partition")
    assert volume.with_name(f"{volume.name}.meta").read_text() == metadata
    assert house.prepared() == [] and not (house.home / "state/v2v" / job).exists()
    house.ask("deleteV2VJob", job)


def looks_converted(volume: Path, work: Path) -> bool:
    """The file system is whole, and the converter left its script for the first boot."""
    subprocess.run(["dd", f"if={volume}", f"of={work}", "bs=1M", f"skip={START >> 20}", "status=none"], check=True)
    run("e2fsck", "-fn", work)
    return "virt-sysprep" in run("debugfs", "-R", "ls -p /usr/lib", work)
