"""`python block_list.py FOLDER COUNT`: a block domain of that many volumes on loop devices; what listing them takes.

The volumes are made at once, by a text for `vgcfgrestore`: they are what the daemon makes, one by one, in minutes.
"""

import json
import os
import re
import statistics
import sys
import time
import uuid
from pathlib import Path

from contract.storage.block_house import SD, House
from contract.storage.disks import disks
from contract.storage.room import POOL
from contract.storage.room import uuid as known
from lab.process import run
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from virgate.node.storage.formats import layout
from virgate.node.storage.formats.volume_metadata import (
    Allocation,
    VolumeFormat,
    VolumeMetadata,
    encode_slot,
)
from virgate.units import Size

EXTENT = 128 << 20
ROUNDS = 7
VOLUME = """
\t\t{name} {{
\t\t\tid = "{id}"
\t\t\tstatus = ["READ", "WRITE", "VISIBLE"]
\t\t\tflags = []
\t\t\ttags = ["IU_{image}", "MD_{slot}", "PU_00000000-0000-0000-0000-000000000000"]
\t\t\tcreation_time = 1700000000
\t\t\tcreation_host = "bench"
\t\t\tsegment_count = 1

\t\t\tsegment1 {{
\t\t\t\tstart_extent = 0
\t\t\t\textent_count = 1
\t\t\t\ttype = "striped"
\t\t\t\tstripe_count = 1
\t\t\t\tstripes = [ "pv0", {extent} ]
\t\t\t}}
\t\t}}
"""


def fill(house: House, count: int, folder: Path) -> None:
    """Logical volumes with tags, and their metadata."""
    backup, devices = folder / "group", ["--devices", house.devices[0]]
    run(["lvm", "vgcfgbackup", *devices, "-f", str(backup), SD])
    text = backup.read_text()
    used = sum(int(found) for found in re.findall(r"\bextent_count = (\d+)", text))
    made, metadata = [], house.lvm.path(SD, "metadata")
    with metadata.open("r+b") as file:
        for number in range(count):
            slot, image = number + layout.first_slot(5), str(uuid.uuid4())
            id = "-".join(f"{number:032}"[at : at + part] for at, part in PARTS)
            made.append(VOLUME.format(name=uuid.uuid4(), id=id, image=image, slot=slot, extent=used + number))
            file.seek(layout.metadata_offset(slot, 5))
            file.write(encode_slot(_metadata(image), 5))
        os.fsync(file.fileno())
    backup.write_text(text.replace("logical_volumes {\n", "logical_volumes {\n" + "".join(made), 1))
    run(["lvm", "vgcfgrestore", *devices, "-f", str(backup), SD])
    house.lvm.invalidate()


PARTS = [(0, 6), (6, 4), (10, 4), (14, 4), (18, 4), (22, 4), (26, 6)]


def _metadata(image: str) -> VolumeMetadata:
    return VolumeMetadata(
        domain=SD,
        image=image,
        capacity=Size(EXTENT),
        format=VolumeFormat.COW,
        allocation=Allocation.SPARSE,
        disk_type="DATA",
        description="a volume",
        created=1700000000,
    )


async def listed(house: House, count: int) -> float:
    began = time.perf_counter()
    found = (await house.room.ask("dumpStorageDomain", known(2)))["volumes"]
    took = time.perf_counter() - began
    assert len(found) == count and all(one["status"] == "OK" for one in found), found[:2]
    return took


async def main(folder: Path, count: int) -> dict[str, float]:
    (folder / "lvm").mkdir()
    (folder / "lvm" / "lvm.conf").write_text(f'global {{ activation = 0 locking_dir = "{folder}/lvm/lock" }}\n')
    os.environ["LVM_SYSTEM_DIR"] = str(folder / "lvm")
    with disks(folder, [(count + 64) * EXTENT]) as devices:
        house = await House(folder, list(devices)).open()
        try:
            await house.pool()
            fill(house, count, folder)
            return await measured(house, count)
        finally:
            await house.close()


async def measured(house: House, count: int) -> dict[str, float]:
    await listed(house, count)
    known_group = [await listed(house, count) for _ in range(ROUNDS)]
    await house.room.ask("spmStop", POOL)
    asked, lvs, programs = [], [], []
    for _ in range(ROUNDS):
        before = len(house.lvm.ran)
        asked.append(await listed(house, count))
        programs.append(len(house.lvm.ran) - before)
        began = time.perf_counter()
        await house.lvm.volumes(SD, fresh=True)
        lvs.append(time.perf_counter() - began)
    return {
        "asked": statistics.median(asked),
        "lvs": statistics.median(lvs),
        "known": statistics.median(known_group),
        "programs": max(programs),
    }


def started() -> None:
    running = Deferred.fromCoroutine(main(Path(sys.argv[1]), int(sys.argv[2])))
    running.addCallback(lambda told: print(json.dumps(told)))
    running.addErrback(lambda failure: failure.printTraceback())
    running.addBoth(lambda _: reactor.stop())


if __name__ == "__main__":
    reactor.callWhenRunning(started)
    reactor.run()
