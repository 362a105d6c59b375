"""Imports through a whole daemon: the converter is a stand-in that speaks as the real one, all else is real."""

import contextlib
import json
import os
import shutil
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real.whole.house import House, new_id

STAND_IN = Path(__file__).parents[2] / "doubles/virt_v2v.py"
OVF = (Path(__file__).parents[2] / "unit/v2v/small.ovf").read_text()
PASSWORD = "hidden-word"


class Importing(House):
    """A house with a converter."""

    notes: Path

    def told(self) -> dict[str, Any]:  # type: ignore[override]
        return dict(self.ask("getVdsStats")["info"].get("v2vJobs", {}))

    def seen(self) -> dict[str, Any]:
        return dict(json.loads((self.notes / "seen").read_text()))

    def status(self, job: str) -> str:
        return str(self.told()[job]["status"])

    def wish(self, *disks: dict[str, str], **more: str) -> dict[str, Any]:
        given = {"vmName": "old", "poolID": self.pool, "domainID": self.domain, "format": "raw"}
        return given | {"allocation": "sparse", "disks": [dict(disk) for disk in disks]} | more

    def volume_file(self, disk: dict[str, str], suffix: str = "") -> Path:
        return self.folder / self.domain / "images" / disk["imageID"] / f"{disk['volumeID']}{suffix}"

    def order(self, how: str) -> None:
        (self.notes / "order").write_text(how)
        (self.notes / "seen").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def importing(libvirtd, tmp_path_factory) -> Iterator[Importing]:
    home = tmp_path_factory.mktemp("imports")
    for name in ("plugins.d", "hooks.d", "bin", "notes"):
        (home / name).mkdir()
    (home / "bin/virt-v2v").symlink_to(STAND_IN)
    path = f"{home / 'bin'}:{os.environ['PATH']}"
    house = Importing(home, libvirtd, {"PATH": path, "STAND_IN": str(home / "notes")})
    house.notes = home / "notes"
    try:
        house.start()
        house.make_pool()
        # jobs are in the statistics when the host was sampled twice
        house.until(lambda: "v2vJobs" in house.ask("getVdsStats")["info"], "two samples were taken", 40)
        yield house
    finally:
        house.close()


@pytest.fixture
def ova(tmp_path: Path) -> str:
    (tmp_path / "small.ovf").write_text(OVF)
    with tarfile.open(tmp_path / "small.ova", "w") as archive:
        archive.add(tmp_path / "small.ovf", "small.ovf")
    return str(tmp_path / "small.ova")


def leftovers(house: Importing) -> list[str]:
    """Links, passwords and working folders of imports."""
    found = [*(house.home / "run/v2v").rglob("*"), *(house.home / "state/v2v").rglob("*")]
    return [str(path) for path in found if path.is_symlink() or path.name == "password" or "state" in str(path)]


def test_an_archive_is_read_and_its_machine_imported(importing: Importing, ova: str) -> None:
    (found,) = [importing.ask("getExternalVmFromOva", ova)["vmList"]]
    assert (found["vmName"], found["memSize"], found["smp"]) == ("small", 512, 2)
    first, second = importing.make_volume(), importing.make_volume()
    metadata = importing.volume_file(first, ".meta").read_text()
    job = new_id()
    importing.order("")
    importing.ask("convertExternalVmFromOva", ova, importing.wish(first, second), job)
    importing.until(lambda: importing.status(job) == "done", "the import is done")
    assert importing.told()[job] == {"status": "done", "progress": 100, "description": "Copying disk 2/2"}
    assert importing.ask("getConvertedVm", job)["ovf"] == "<ovf:Envelope>of an archive</ovf:Envelope>"
    for number, disk in enumerate((first, second), 1):
        assert importing.volume_file(disk).read_bytes().startswith(f"converted {number}".encode())
    assert importing.volume_file(first, ".meta").read_text() == metadata, "the converter's own metadata stay outside"
    assert leftovers(importing) == [] and importing.prepared() == []
    assert importing.code("convertExternalVmFromOva", ova, importing.wish(first), job) == 69
    importing.ask("deleteV2VJob", job)
    assert importing.code("getConvertedVm", job) == importing.code("deleteV2VJob", job) == 66
    assert not (importing.home / "run/v2v" / job).exists()


def test_a_password_is_in_a_file_for_its_owner_and_nowhere_else(importing: Importing) -> None:
    disk, job = importing.make_volume(), new_id()
    importing.order("")
    uri = "vpx://vcenter.example/dc/esx?no_verify=1"
    importing.ask("convertExternalVm", uri, "me@corp", PASSWORD, importing.wish(disk), job)
    importing.until(lambda: importing.status(job) == "done", "the import is done")
    seen = importing.seen()
    assert (seen["password"], seen["mode"], seen["name"], seen["nice"]) == (PASSWORD, "0o600", "old", 19)
    assert PASSWORD not in str(seen["argv"]) and "vpx://me%40corp@vcenter.example/dc/esx?no_verify=1" in seen["argv"]
    assert PASSWORD not in importing.log.read_text() and leftovers(importing) == []
    assert importing.ask("getConvertedVm", job)["ovf"] == "<ovf:Envelope>old</ovf:Envelope>"
    importing.ask("deleteV2VJob", job)


def test_a_failure_is_told_and_leaves_nothing(importing: Importing, ova: str) -> None:
    disk, job = importing.make_volume(), new_id()
    importing.order("fail")
    importing.ask("convertExternalVmFromOva", ova, importing.wish(disk), job)
    importing.until(lambda: importing.status(job) == "error", "the import fails")
    assert "no root device found" in importing.told()[job]["description"]
    assert importing.code("getConvertedVm", job) == 68
    assert leftovers(importing) == [] and importing.prepared() == []
    (log,) = (importing.home / "run/v2v/logs").glob(f"import-{job}-*.log")
    assert "libguestfs: trace" in log.read_text() and log.stat().st_mode & 0o777 == 0o600
    importing.ask("deleteV2VJob", job)


def test_an_import_is_aborted_and_its_program_gone(importing: Importing, ova: str) -> None:
    disk, job = importing.make_volume(), new_id()
    importing.order("hang")
    importing.ask("convertExternalVmFromOva", ova, importing.wish(disk), job)
    importing.until(lambda: importing.told()[job]["progress"] == 55, "half of it is copied")
    assert importing.told()[job] == {"status": "copying_disk", "progress": 55, "description": "Copying disk 1/1"}
    assert importing.code("deleteV2VJob", job) == importing.code("getConvertedVm", job) == 68
    pid = importing.seen()["pid"]
    importing.ask("abortV2VJob", job)
    importing.until(lambda: importing.status(job) == "aborted", "it is aborted")
    wait_gone(pid)
    assert leftovers(importing) == [] and importing.prepared() == []
    importing.ask("abortV2VJob", job)
    importing.ask("deleteV2VJob", job)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"disks": []}, 11), ({"vmName": "--root"}, 1000), ({"domainID": "../x"}, 1000), ({"format": "iso"}, 1000)],
)
def test_a_wrong_wish_starts_nothing(importing: Importing, ova: str, change: dict[str, Any], code: int) -> None:
    wish = importing.wish({"imageID": new_id(), "volumeID": new_id()}) | change
    assert importing.code("convertExternalVmFromOva", ova, wish, new_id()) == code
    assert importing.told() == {}


def test_a_volume_that_is_not_there_fails_the_job(importing: Importing, ova: str) -> None:
    job = new_id()
    wish = importing.wish({"imageID": new_id(), "volumeID": new_id()})
    importing.ask("convertExternalVmFromOva", ova, wish, job)
    importing.until(lambda: importing.status(job) == "error", "the import fails")
    assert leftovers(importing) == []
    importing.ask("deleteV2VJob", job)


def test_an_archive_whose_disk_lies_outside_of_it_is_not_given_to_the_converter(
    importing: Importing, tmp_path: Path
) -> None:
    (tmp_path / "bad.ovf").write_text(OVF.replace("disk1.vmdk", "../../etc/shadow"))
    importing.order("")
    job = new_id()
    importing.ask("convertExternalVmFromOva", str(tmp_path), importing.wish(importing.make_volume()), job)
    importing.until(lambda: importing.status(job) == "error", "it is refused")
    assert "outside" in importing.told()[job]["description"] and not (importing.notes / "seen").exists()
    importing.ask("deleteV2VJob", job)


def test_other_places_and_silent_ones_have_their_codes(importing: Importing, tmp_path: Path) -> None:
    for uri in ("lxc:///", "qemu+ext:///system?command=/bin/sh", "xen+ssh://root@h?command=/bin/sh"):
        assert importing.code("getExternalVMs", uri, "u", PASSWORD) == 44
        assert importing.code("convertExternalVm", uri, "u", PASSWORD, {}, new_id()) == 44
    answer = importing.call("getExternalVMs", f"qemu+unix://u:{PASSWORD}@/system?socket={tmp_path}/none", "u", PASSWORD)
    assert answer["status"]["code"] == 65 and PASSWORD not in str(answer)
    assert PASSWORD not in importing.log.read_text()
    assert importing.code("getExternalVmFromOva", str(tmp_path / "none.ova")) == 16
    for verb in ("getConvertedVm", "abortV2VJob", "deleteV2VJob"):
        assert importing.code(verb, new_id()) == 66


DOMAIN = """
<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>64</memory><vcpu>2</vcpu>
<os><type arch='x86_64'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}'/>
<target dev='vda' bus='virtio'/></disk>
<interface type='user'><mac address='52:54:00:01:02:03'/><model type='virtio'/></interface>
</devices></domain>
"""


@pytest.fixture(params=["in a pool", "in no pool"])
def neighbour(importing: Importing, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, Path]]:
    """A machine of another hypervisor, which for this test is the house's own: its name and its disk."""
    disk = tmp_path / "old.raw"
    with disk.open("wb") as file:
        file.write(b"begin" + os.urandom(3 << 20))
        file.truncate(8 << 20)
    name = f"old-{new_id()[:8]}"
    (tmp_path / "old.xml").write_text(DOMAIN.format(name=name, uuid=new_id(), disk=disk))
    importing.libvirtd.virsh("define", str(tmp_path / "old.xml"))
    if request.param == "in a pool":
        importing.libvirtd.virsh("pool-create-as", name, "dir", "--target", str(tmp_path))
    yield name, disk
    if request.param == "in a pool":
        importing.libvirtd.virsh("pool-destroy", name)
    importing.libvirtd.virsh("undefine", name)


def test_machines_of_kvm_are_listed_and_copied_as_they_are(importing: Importing, neighbour: tuple[str, Path]) -> None:
    name, source = neighbour
    uri = importing.libvirtd.uri
    (found,) = importing.ask("getExternalVMs", uri, "", "", [name])["vmList"]
    assert (found["vmName"], found["status"], found["memSize"], found["smp"]) == (name, "Down", 64, 2)
    (disk,) = found["disks"]
    assert (disk["alias"], disk["capacity"], disk["format"], disk["dev"]) == (str(source), str(8 << 20), "RAW", "vda")
    assert found["networks"] == [{"type": "user", "macAddr": "52:54:00:01:02:03", "model": "virtio"}]
    assert name in importing.ask("getExternalVMNames", uri, "", "")["vmNames"]
    volume, job = importing.make_volume(size=8 << 20), new_id()
    importing.ask("convertExternalVm", uri, "", PASSWORD, importing.wish(volume, vmName=name), job)
    importing.until(lambda: importing.status(job) in ("done", "error"), "the import is done")
    assert importing.told()[job]["status"] == "done", importing.told()
    copied = importing.volume_file(volume)
    assert copied.read_bytes() == source.read_bytes()
    assert copied.stat().st_blocks * 512 < 6 << 20, "what is empty stays empty"
    assert importing.code("getConvertedVm", job) == 67
    importing.ask("deleteV2VJob", job)
    wrong = new_id()
    importing.ask("convertExternalVm", uri, "", "", importing.wish(volume, vmName=name, format="cow"), wrong)
    importing.until(lambda: importing.status(wrong) == "error", "the format is refused")
    importing.ask("deleteV2VJob", wrong)


def test_jobs_end_with_their_daemon_and_leave_neither_program_nor_password(importing: Importing) -> None:
    for kill in (True, False):
        disk, job = importing.make_volume(), new_id()
        importing.order("hang")
        importing.ask("convertExternalVm", "esx://h/", "me", PASSWORD, importing.wish(disk), job)
        importing.until((importing.notes / "seen").exists, "the program runs")
        pid = importing.seen()["pid"]
        importing.kill() if kill else importing.end()
        wait_gone(pid)
        importing.start()
        assert importing.code("abortV2VJob", job) == 66
        left = [*(importing.home / "run/v2v").iterdir(), *(importing.home / "state/v2v").iterdir()]
        assert [path.name for path in left] == ["logs"]
        importing.rejoin()


def test_a_host_without_the_converter_names_its_package(importing: Importing, ova: str) -> None:
    (importing.home / "bin/virt-v2v").unlink()
    importing.environment["PATH"] = f"{importing.home / 'bin'}:/nowhere"
    python = shutil.which("python3")
    assert python
    importing.end()
    importing.start()
    wish = importing.wish({"imageID": new_id(), "volumeID": new_id()})
    answer = importing.call("convertExternalVmFromOva", ova, wish, new_id())
    assert answer["status"]["code"] == 40 and "install the package virt-v2v" in answer["status"]["message"]


def wait_gone(pid: int) -> None:
    """It may be a zombie for as long as the machine's first process likes."""
    ends = time.monotonic() + 10
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < ends, "the converter goes on"
            time.sleep(0.02)
