"""Media put in, changed and ejected."""

from typing import Any

import pytest
import pytest_twisted
from unit.vm.plugging.conftest import VOLUME

from virgate.domxml.errors import BadDevice, CannotCreate
from virgate.libvirt.errors import HypervisorFailed
from virgate.libvirt.plugging import MediumMissing
from virgate.node.vm.plugging import media
from virgate.node.vm.plugging.errors import MediumNotChanged, NoMedium


def drive(machine: Any) -> dict[str, Any]:
    return next(one for one in machine.record.conf["devices"] if one.get("device") == "cdrom")


def asked(domain: Any) -> str:
    return next(call[1] for call in reversed(domain.calls) if call[0] == "update")


@pytest_twisted.ensureDeferred
async def test_a_path_goes_in_and_nothing_ejects(host: Any, machine: Any, domain: Any) -> None:
    await media.change_cd(machine, "/iso/one.iso")
    assert '<source file="/iso/one.iso" startupPolicy="optional"/>' in asked(domain)
    assert (drive(machine)["path"], machine.record.conf["cdrom"]) == ("/iso/one.iso", "/iso/one.iso")
    await media.change_cd(machine, "")
    assert "<source" not in asked(domain)
    assert (drive(machine)["path"], machine.record.conf["cdrom"]) == ("", "")


@pytest_twisted.ensureDeferred
async def test_a_volume_is_prepared_first_and_the_one_before_torn_down_last(
    host: Any, machine: Any, domain: Any
) -> None:
    spec = {**VOLUME, "device": "cdrom", "iface": "ide", "index": "2"}
    await media.change_cd(machine, spec)
    assert drive(machine)["imageID"] == "image" and machine.record.conf["cdrom"] == "/rhev/hdc"
    await media.change_cd(machine, {**spec, "imageID": "other"})
    assert host.disks.calls == [("prepare", "hdc"), ("prepare", "hdc"), ("teardown", "hdc")]
    assert [one.image_id for one in machine.record.disks if one.target == "hdc"] == ["other"]
    await media.change_cd(machine, "")
    assert host.disks.calls[-1] == ("teardown", "hdc") and "imageID" not in drive(machine)


@pytest.mark.parametrize(
    ("error", "raised", "code"),
    [
        (HypervisorFailed(1, "tray stuck"), MediumNotChanged, 41),
        (MediumMissing(38, "no such file"), NoMedium, 13),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_refused_medium_leaves_the_drive_as_it_was(
    host: Any, machine: Any, domain: Any, error: Exception, raised: type[Exception], code: int
) -> None:
    before = drive(machine)
    domain.fail["update"] = error
    with pytest.raises(raised) as problem:
        await media.change_cd(machine, VOLUME)
    assert problem.value.code == code  # type: ignore[attr-defined]
    assert host.disks.calls == [("prepare", "hdc"), ("teardown", "hdc")]
    assert drive(machine) == before and "cdrom" not in machine.record.conf


@pytest_twisted.ensureDeferred
async def test_a_volume_that_storage_does_not_have_is_no_medium(host: Any, machine: Any, domain: Any) -> None:
    host.disks.fail["prepare hdc"] = BadDevice("disk", "no such volume")
    with pytest.raises(NoMedium, match="no such volume"):
        await media.change_cd(machine, VOLUME)
    assert domain.names == []


@pytest_twisted.ensureDeferred
async def test_a_drive_that_is_not_there_takes_nothing(machine: Any, domain: Any) -> None:
    with pytest.raises(MediumNotChanged, match="floppy"):
        await media.change_floppy(machine, "/iso/one.img")
    with pytest.raises(MediumNotChanged, match="cdrom"):
        await media.change_cd(machine, {**VOLUME, "iface": "scsi", "index": 4})


@pytest_twisted.ensureDeferred
async def test_no_medium_lies_above_the_repository(machine: Any, domain: Any) -> None:
    with pytest.raises((MediumNotChanged, CannotCreate), match=r"\.\."):
        await media.change_cd(machine, "/iso/../../etc/shadow")


PAYLOAD = {"type": "disk", "device": "cdrom", "name": "hdc", "specParams": {"vmPayload": {"file": {}}}}
EMPTY = {"type": "disk", "device": "cdrom", "name": "sda", "path": ""}
LAST = {"type": "disk", "device": "cdrom", "name": "sdc", "path": ""}


def test_the_usual_drive_is_taken_and_never_one_with_a_payload() -> None:
    assert media._drive({"devices": [LAST, PAYLOAD, EMPTY]}, "cdrom", "/x") is EMPTY
    assert media._drive({"devices": [PAYLOAD, LAST]}, "cdrom", "/x") is LAST
    assert media._drive({"devices": [PAYLOAD, EMPTY, LAST]}, "cdrom", {"iface": "scsi", "index": "2"}) is LAST
