"""Images on a block domain: real LVM on iSCSI disks, real qemu-img, beside a domain on NFS; one host does it all."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from lab.calls import Refused
from lab.cleanup import Lab
from lab.nodes import Node
from lab.pools import BLANK, COPY, COW, MIB, MOVE, PREALLOCATED, RAW, Disk, Place, Pool, new_id, nfs_place
from lab.san import GIB, ISCSI, San
from lab.servers import NfsServer
from virgate.node.storage.formats import layout, volume_metadata
from virgate.node.storage.formats.volume_metadata import VolumeMetadata

EXTENT = 128 * MIB
SIZE = 64 * MIB
TEMPLATE, LEAF = 6, 8


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture(scope="module")
def san(lab: Lab) -> San:
    return San(lab, [16 * GIB])


@pytest.fixture(scope="module")
def east(san: San) -> Node:
    return san.boot("east", settings={"thin.chunk": 256})[0]


@pytest.fixture(scope="module")
def pool(lab: Lab, san: San, east: Node) -> Pool:
    """The first domain is on a volume group, the second on NFS."""
    nfs = nfs_place(NfsServer(lab, san.network, ["data"]), "data")
    block = Place(ISCSI, "", domain=san.make_domain(east, san.guids(east)))
    pool = Pool([east], [block, nfs])
    pool.connect_servers(east, [nfs])
    pool.create_domain(east, nfs, "files")
    return pool.found(east)


@pytest.fixture(autouse=True)
def tidy(east: Node, pool: Pool) -> Iterator[None]:
    """Whatever was done, nothing stays active that nobody uses, and nothing half made stays."""
    yield
    special, ends = {"metadata", "ids", "inbox", "outbox", "leases", "xleases", "master"}, time.monotonic() + 20
    while (left := in_use(east, pool)) != special:  # new volumes keep their devices for some seconds
        assert time.monotonic() < ends, left - special
        time.sleep(0.5)
    assert east.host.shell(f"ls /run/virgate/storage/{pool.master} 2>/dev/null || true").strip() == ""


def in_use(node: Node, pool: Pool) -> set[str]:
    """Volumes with a device, and half made ones."""
    return {name for name, attr, tags in lvs(node, pool.master) if attr[4] == "a" or "INITIALIZING" in tags}


def lvs(node: Node, group: str) -> list[list[str]]:
    """Name, attributes and tags of every logical volume, as LVM itself says."""
    told = node.host.shell(f"lvm lvs --noheadings --separator '|' -o name,attr,tags {group}")
    return [line.strip().split("|") for line in told.splitlines()]


def tags(node: Node, disk: Disk) -> set[str]:
    return next(set(tags.split(",")) for name, _, tags in lvs(node, disk.domain) if name == disk.volume)


def size(node: Node, disk: Disk) -> int:
    told = node.host.shell(f"lvm lvs --noheadings --units b --nosuffix -o size {disk.domain}/{disk.volume}")
    return int(told)


def slot(node: Node, disk: Disk) -> int:
    return next(int(tag[3:]) for tag in tags(node, disk) if tag.startswith("MD_"))


def stored(node: Node, disk: Disk) -> VolumeMetadata:
    """What another host would read."""
    place = layout.metadata_offset(slot(node, disk), 5)
    text = node.host.shell(
        f"dd if=/dev/{disk.domain}/metadata bs=512 skip={place // 512} count=1 iflag=direct status=none | tr -d '\\0'"
    )
    return volume_metadata.decode(text.encode())


def delete(pool: Pool, disk: Disk, *, zero: bool = False) -> None:
    pool.do("deleteImage", disk.domain, pool.id, disk.image, zero)


def merge(pool: Pool, ancestor: Disk, successor: Disk) -> None:
    pool.do("mergeSnapshots", ancestor.domain, pool.id, BLANK, ancestor.image, ancestor.volume, successor.volume)


def chain(pool: Pool, form: int, count: int = 3) -> list[Disk]:
    """Volumes one above the other; volume n holds n+1 at its own MiB."""
    disks = [pool.disk(SIZE, form=form, allocation=PREALLOCATED if form == RAW else 2)]
    pool.write(disks[0], 1, 0, MIB)
    for number in range(1, count):
        disks.append(pool.disk(SIZE, parent=disks[-1]))
        pool.write(disks[-1], number + 1, number * MIB, MIB)
    return disks


def holds_all(pool: Pool, disk: Disk, count: int = 3) -> bool:
    return all(pool.holds(disk, number + 1, number * MIB, MIB) for number in range(count))


def test_a_volume_is_a_logical_volume_with_tags_a_slot_and_a_lease(east: Node, pool: Pool) -> None:
    raw = pool.disk(SIZE + 1, form=RAW, allocation=PREALLOCATED)
    cow = pool.disk(10 * GIB)
    top = pool.disk(SIZE, parent=cow)
    assert tags(east, raw) == {f"MD_{slot(east, raw)}", f"PU_{BLANK}", f"IU_{raw.image}"}
    assert f"PU_{cow.volume}" in tags(east, top)
    assert len({slot(east, disk) for disk in (raw, cow, top)}) == 3
    assert (size(east, raw), size(east, cow), size(east, top)) == (EXTENT, 2 * EXTENT, 2 * EXTENT)
    assert (stored(east, raw).capacity.bytes, stored(east, cow).capacity.bytes) == (EXTENT, 10 * GIB)
    assert (stored(east, cow).role.name, stored(east, top).role.name) == ("INTERNAL", "LEAF")
    info = pool.info(raw)
    assert (info["apparentsize"], info["truesize"], info["status"]) == (str(EXTENT), str(EXTENT), "OK")
    place = layout.lease_offset(slot(east, top), MIB)
    lease = f"/dev/{top.domain}/leases:{place}"
    assert top.volume in east.host.shell(f"sanlock direct read_leader -r {top.domain}:{top.volume}:{lease}")
    with pytest.raises(Refused) as refusal:
        pool.disk(SIZE, form=RAW)
    assert refusal.value.code == 202
    for disk in (raw, cow):
        delete(pool, disk)
    assert pool.volumes() == set()


def test_a_prepared_chain_is_a_folder_of_devices(east: Node, pool: Pool) -> None:
    disks = chain(pool, RAW)
    path = pool.prepare(disks[-1])
    assert east.host.shell(f"readlink -f {path}").startswith("/dev/dm-")
    backing = east.host.shell(f"qemu-img info -U --backing-chain {path} | grep '^backing file:'").splitlines()
    assert [line.split()[2] for line in backing] == [disk.volume for disk in reversed(disks[:-1])]
    assert pool.prepare(disks[-1]) == path
    assert {name for name, attr, _ in lvs(east, pool.master) if attr[4] == "a"} >= {disk.volume for disk in disks}
    assert holds_all(pool, disks[-1])  # tears it down
    delete(pool, disks[0])


def test_a_merge_into_the_middle_and_one_of_a_whole_chain_keep_the_contents(east: Node, pool: Pool) -> None:
    for form in (RAW, COW):
        disks = chain(pool, form, 4)
        merge(pool, disks[1], disks[2])
        assert pool.volumes(image=disks[0].image) == {disk.volume for disk in (disks[0], disks[2], disks[3])}
        assert holds_all(pool, disks[3], 4)
        merge(pool, disks[0], disks[2])
        assert holds_all(pool, disks[3], 4)
        with pytest.raises(Refused, match="merged already") as refusal:
            merge(pool, disks[0], disks[2])
        assert refusal.value.code == 252
        assert holds_all(pool, disks[3], 4)
        merge(pool, disks[2], disks[3])
        assert pool.volumes(image=disks[0].image) == {disks[3].volume}
        assert holds_all(pool, disks[3], 4)
        assert stored(east, disks[3]).format.name == ("RAW" if form == RAW else "COW")
        delete(pool, disks[3])


def test_images_move_between_block_and_file_with_all_they_hold(east: Node, pool: Pool) -> None:
    files = pool.domains[1]
    for form in (RAW, COW):
        disks = chain(pool, form)
        pool.do("moveImage", pool.id, pool.master, files, disks[0].image, BLANK, MOVE)
        moved = [replace(disk, domain=files) for disk in disks]
        assert holds_all(pool, moved[-1])
        pool.do("moveImage", pool.id, files, pool.master, disks[0].image, BLANK, COPY)
        assert holds_all(pool, disks[-1])
        assert all(stored(east, disk).legality.name == "LEGAL" for disk in disks)
        for disk in (disks[-1], moved[-1]):
            delete(pool, disk)


def copy(pool: Pool, disk: Disk, role: int, form: int, allocation: int, domain: str) -> Disk:
    made = Disk(domain, new_id(), new_id())
    ids = [BLANK, disk.image, disk.volume, made.image, made.volume]
    pool.do("copyImage", disk.domain, pool.id, *ids, "a copy", domain, role, form, allocation)
    return made


def test_a_template_serves_its_clones_until_the_last_is_gone(east: Node, pool: Pool) -> None:
    source = chain(pool, RAW)[-1]
    template = copy(pool, source, TEMPLATE, COW, 2, pool.master)
    assert size(east, template) == EXTENT, "a copy keeps no room that it does not need"
    clones = [pool.disk(SIZE, parent=template, node=east, image=new_id(), volume=new_id()) for _ in range(2)]
    assert all(holds_all(pool, clone) for clone in clones)
    paths = [pool.prepare(clone) for clone in clones]
    pool.teardown(clones[0])
    active = {name for name, attr, _ in lvs(east, pool.master) if attr[4] == "a"}
    assert clones[0].volume not in active and {clones[1].volume, template.volume} <= active, paths
    pool.teardown(clones[1])
    with pytest.raises(Refused) as refusal:
        delete(pool, template)
    assert refusal.value.code == 223
    for disk in (*clones, template, source):
        delete(pool, disk)


def test_a_deleted_image_is_wiped_if_that_is_wanted(san: San, east: Node, pool: Pool) -> None:
    disk = pool.disk(EXTENT, form=RAW, allocation=PREALLOCATED)
    pool.write(disk, 0x5A, 0, MIB)
    where = east.host.shell(f"lvm lvs --noheadings -o devices {disk.domain}/{disk.volume}").strip()
    device, _, extent = where.rstrip(")").partition("(")
    first = 129 * MIB + int(extent) * EXTENT
    peek = f"dd if={device} bs=1M skip={first // MIB} count=1 iflag=direct status=none | tr -d '\\0' | wc -c"
    assert int(east.host.shell(peek)) == MIB
    delete(pool, disk, zero=True)
    assert int(east.host.shell(peek)) == 0
    assert disk.volume not in pool.volumes()


def test_a_raw_volume_grows_by_extents(east: Node, pool: Pool) -> None:
    disk = pool.disk(SIZE, form=RAW, allocation=PREALLOCATED)
    pool.do("extendVolumeSize", pool.id, disk.domain, disk.image, disk.volume, str(EXTENT + 1))
    assert size(east, disk) == stored(east, disk).capacity.bytes == 2 * EXTENT
    delete(pool, disk)


def test_data_that_need_more_than_the_largest_thin_size_are_neither_refused_nor_cut(east: Node, pool: Pool) -> None:
    """A snapshot inside of the qcow2 data keeps what was written over: twice the virtual size is in use."""
    base = pool.disk(EXTENT)
    east.call("extendVolume", base.domain, pool.id, base.image, base.volume, str(4 * EXTENT))
    path = pool.prepare(base)
    write = f"qemu-io -f qcow2 -t none -c 'write -P %d 0 {EXTENT}' {path}"
    east.host.shell(f"{write % 7}; qemu-img snapshot -c inside {path}; {write % 8}", timeout=120)
    pool.teardown(base)
    top = pool.disk(EXTENT, parent=base)
    pool.write(top, 9, 0, MIB)
    merge(pool, base, top)
    assert pool.holds(top, 9, 0, MIB) and pool.holds(top, 8, MIB, EXTENT - MIB)
    path = pool.prepare(top)
    east.host.shell(f"qemu-img check -f qcow2 {path}")
    pool.teardown(top)
    copied = copy(pool, top, LEAF, COW, 2, pool.master)
    assert pool.holds(copied, 8, MIB, EXTENT - MIB)
    for disk in (copied, top):
        delete(pool, disk)


def test_a_killed_daemon_leaves_the_prepared_and_nothing_else(east: Node, pool: Pool) -> None:
    kept, other = pool.disk(SIZE), pool.disk(SIZE)
    pool.prepare(kept)
    east.kill()
    east.host.shell(f"lvm lvchange -ay {other.domain}/{other.volume}")
    east.start()
    pool.connect_servers(east, pool.places[1:])
    pool.join(east)
    pool.start_spm(east)
    active = {name for name, attr, _ in lvs(east, pool.master) if attr[4] == "a"}
    assert kept.volume in active and other.volume not in active
    assert pool.info(kept)["status"] == "OK"
    pool.teardown(kept)
    for disk in (kept, other):
        delete(pool, disk)
