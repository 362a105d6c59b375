"""One machine through everything, with a daemon that is killed and started again after each step: a new daemon tells
of the machine what the old one did, and storage holds what it should.
"""

from typing import Any

import pytest
from real.whole.house import House, new_id
from real.whole.sleeper import DISK, Sleeper

pytestmark = pytest.mark.usefixtures("guest")
TIMES = ("elapsedTime", "statusTime", "guestName", "guestIPs")


def told(house: House, vm: str) -> dict[str, Any]:
    return {name: value for name, value in house.full(vm).items() if name not in TIMES}


class Row:
    """A machine that counts, and its volumes."""

    def __init__(self, house: House, sleeper: Sleeper) -> None:
        self.house, self.sleeper, self.vm = house, sleeper, sleeper.vm
        self.disk, self.second = sleeper.disk, house.make_volume()

    def restart(self) -> None:
        """What a daemon tells of the machine is what the one before it did."""
        before = told(self.house, self.vm)
        self.house.kill()
        self.house.start("--set=machines.job_period=0.3")
        self.house.rejoin()
        self.house.until(lambda: sorted(self.house.prepared()) == self.in_use(), "its images are prepared")
        assert told(self.house, self.vm) == before

    def in_use(self) -> list[str]:
        disks = [one for one in self.house.full(self.vm)["devices"] if one.get("imageID")]
        root = self.house.home / "run/storage" / self.house.domain
        return sorted(str(root / one["imageID"]) for one in disks)

    def sound(self, **volumes: int) -> None:
        """Storage has just so many volumes of each image, given by name of attributes."""
        house = self.house
        for name, count in volumes.items():
            image = getattr(self, name)["imageID"]
            folder = house.folder / house.domain / "images" / image
            assert len([one for one in folder.iterdir() if not one.suffix]) == count, (name, list(folder.iterdir()))
        report = house.ask("checkStorageDomain", house.domain)["check"]
        assert [one for one in report["findings"] if one["severity"] != "note"] == [], report


def test_a_machine_goes_through_everything_with_a_new_daemon_after_each_step(own: House, tmp_path: Any) -> None:
    house = own
    house.start("--set=machines.job_period=0.3")
    house.make_pool()
    sleeper = Sleeper(house, tmp_path / "console")
    row = Row(house, sleeper)
    row.restart()
    house.ask("hotplugDisk", {"vmId": row.vm, "drive": {**DISK, **row.second}})
    row.sound(disk=1, second=1)
    row.restart()

    new, image = new_id(), row.second["imageID"]
    base = row.second["volumeID"]
    house.done("createVolume", house.domain, house.pool, image, str(1 << 20), 4, 2, "DATA", new, "top", image, base)
    drive = {"domainID": house.domain, "imageID": image, "baseVolumeID": base, "volumeID": new}
    house.ask("snapshot", row.vm, [drive])
    row.sound(disk=1, second=2)
    row.restart()

    house.ask("merge", row.vm, {**row.second, "volumeID": new}, base, new)
    house.until(lambda: house.stats(row.vm)["vmJobs"] == {}, "it is merged")
    house.done("deleteVolume", house.domain, house.pool, image, [new])
    row.sound(disk=1, second=1)
    row.restart()

    handle = sleeper.bed()
    sleeper.sleep(handle)
    assert house.prepared() == []
    row.sound(disk=1, second=1)
    house.kill()
    house.start("--set=machines.job_period=0.3")
    house.rejoin()
    assert house.ask("list")["vmList"] == []
    sleeper.wake(handle)
    house.until_status(row.vm, "Up")
    row.sound(disk=1, second=1)
    sleeper.goes_on()
    row.restart()

    house.ask("hotunplugDisk", {"vmId": row.vm, "drive": row.second})
    row.sound(disk=1, second=1)
    row.restart()
    sleeper.goes_on()
    house.ask("destroy", row.vm)
    assert house.prepared() == []
    house.kill()
    house.start()
    house.rejoin()
    assert house.ask("list")["vmList"] == []
    assert house.prepared() == []
    assert house.left_behind(row.vm) == []
    assert not house.told("level=critical"), house.said()
