"""Command lines of `lvm` (spec storage-format 2.1, 2.7). Pure; sizes are in MiB, devices are paths."""

from collections.abc import Iterable, Sequence
from enum import Enum

from attrs import frozen

EXTENT_MIB = 128
METADATA_MIB = 128
"""The room of a physical volume for LVM's own metadata."""
UNREADY_TAG = "RHAT_storage_domain_UNREADY"
DOMAIN_TAG = "RHAT_storage_domain"

REPORTS = ("pvs", "vgs", "lvs", "vgck")

Argv = tuple[str, ...]


class Method(Enum):
    """How `lvm` is kept from looking at other devices than those named."""

    DEVICES = "devices"
    FILTER = "filter"


@frozen
class Command:
    """What to do; `argv` adds the devices that LVM may look at."""

    name: str
    arguments: Argv
    polled: bool = True
    """Whether LVM's poll daemon may carry on with it; what is followed by ourselves is not."""

    @property
    def reads(self) -> bool:
        """It changes nothing, neither on storage nor on this host, so it can be cut off and run again."""
        return self.name in REPORTS

    def argv(self, devices: Iterable[str], method: Method = Method.DEVICES) -> list[str]:
        seen = sorted(set(devices))
        # An empty `--devices` would not be a restriction at all.
        named = ["--devices", ",".join(seen)] if method is Method.DEVICES and seen else []
        accept = None if named else seen
        return ["lvm", self.name, *named, "--config", config(accept, polled=self.polled), *self.arguments]


def config(accept: Iterable[str] | None = None, *, polled: bool = True) -> str:
    """The settings of every call. `accept` makes a filter of the devices, None is for `--devices`."""
    only = "" if accept is None else f"filter={_filter(accept)} "
    return (
        'devices { preferred_names=["^/dev/mapper/"] ignore_suspended_devices=1 write_cache_state=0'
        f' disable_after_error_count=3 {only}hints="none" obtain_device_list_from_udev=0 }}'
        f" global {{ prioritise_write_locks=1 wait_for_locks=1 use_lvmpolld={int(polled)} }}"
        " backup { retain_min=50 retain_days=0 }"
    )


def _filter(devices: Iterable[str]) -> str:
    r"""A regular expression in a quoted string: there `\x`, as udev writes odd characters, must be doubled."""
    names = sorted({device.replace(r"\x", r"\\x") for device in devices})
    accept = '"a|' + "|".join(f"^{name}$" for name in names) + '|", ' if names else ""
    return f'[{accept}"r|.*|"]'


# reports

_REPORT = ("--noheadings", "--units", "b", "--nosuffix", "--separator", "|", "--ignoreskippedcluster", "-o")
PHYSICAL_FIELDS = "uuid,name,size,vg_name,vg_uuid,pe_start,pe_count,pe_alloc_count,mda_count,dev_size,mda_used_count"
GROUP_FIELDS = (
    "uuid,name,attr,size,free,extent_size,extent_count,free_count,tags,"
    "vg_mda_size,vg_mda_free,lv_count,pv_count,pv_name"
)
VOLUME_FIELDS = "uuid,name,vg_name,attr,size,seg_start_pe,devices,tags"


def physical_report() -> Command:
    return Command("pvs", (*_REPORT, PHYSICAL_FIELDS))


def group_report(*groups: str) -> Command:
    return Command("vgs", (*_REPORT, GROUP_FIELDS, *groups))


def volume_report(*groups: str) -> Command:
    return Command("lvs", (*_REPORT, VOLUME_FIELDS, *groups))


# physical volumes


def create_physical(devices: Sequence[str], *, metadata_mib: int = METADATA_MIB, force: bool = False) -> Command:
    """Their metadata areas are unused at first: one device of a group carries the metadata of all."""
    overwrite = ("-y", "-ff") if force else ()
    areas = ("--metadatasize", f"{metadata_mib}m", "--metadatacopies", "2", "--metadataignore", "y")
    return Command("pvcreate", (*overwrite, *areas, *devices))


def test_physical(devices: Sequence[str]) -> Command:
    """Would they be taken? Nothing is written."""
    areas = ("--metadatasize", f"{METADATA_MIB}m", "--metadatacopies", "2", "--metadataignore", "y")
    return Command("pvcreate", ("--test", *areas, *devices))


def carry_metadata(device: str, *, carried: bool = True) -> Command:
    return Command("pvchange", ("--metadataignore", "n" if carried else "y", device))


def resize_physical(device: str) -> Command:
    return Command("pvresize", (device,))


def remove_physical(*devices: str) -> Command:
    return Command("pvremove", devices)


def move_physical(device: str, targets: Sequence[str] = ()) -> Command:
    """Moves every extent away from a device; what is followed by its own process needs no poll daemon."""
    return Command("pvmove", (device, *targets), polled=False)


# volume groups


def create_group(group: str, devices: Sequence[str], tag: str = UNREADY_TAG) -> Command:
    options = ("--setautoactivation", "n", "--physicalextentsize", f"{EXTENT_MIB}m", "--addtag", tag)
    return Command("vgcreate", (*options, group, *devices))


def extend_group(group: str, devices: Sequence[str]) -> Command:
    return Command("vgextend", (group, *devices))


def reduce_group(group: str, device: str) -> Command:
    return Command("vgreduce", (group, device))


def remove_group(group: str) -> Command:
    return Command("vgremove", ("-f", group))


def check_group(group: str) -> Command:
    return Command("vgck", (group,))


def deactivate_group(group: str) -> Command:
    return Command("vgchange", ("--available", "n", group))


def tag_group(group: str, delete: Iterable[str] = (), add: Iterable[str] = ()) -> Command:
    return Command("vgchange", (*_tags(delete, add), group))


# logical volumes

_PLAIN = ("--autobackup", "n")


def create_volume(
    group: str, name: str, mib: int, tags: Iterable[str] = (), device: str | None = None, *, zero: bool = True
) -> Command:
    """LVM zeroes the first block, and udev looks at it again, unless told that somebody writes there at once."""
    options = (*_PLAIN, "--contiguous", "n", "--size", f"{mib}m", "--wipesignatures", "n")
    unzeroed = () if zero else ("--zero", "n")
    place = (device,) if device else ()
    return Command("lvcreate", (*options, *unzeroed, *_tags((), tags), "--name", name, group, *place))


def tag_volumes(group: str, names: Iterable[str], delete: Iterable[str] = (), add: Iterable[str] = ()) -> Command:
    return Command("lvchange", (*_PLAIN, *_tags(delete, add), *_within(group, names)))


def activate_volumes(group: str, names: Iterable[str], *, active: bool = True) -> Command:
    return Command("lvchange", (*_PLAIN, "--available", "y" if active else "n", *_within(group, names)))


def refresh_volumes(group: str, names: Iterable[str]) -> Command:
    return Command("lvchange", ("--refresh", *_within(group, names)))


def extend_volume(group: str, name: str, mib: int, *, refresh: bool = True) -> Command:
    """Without `refresh` no device changes here: the host that uses the volume refreshes it."""
    loaded = () if refresh else ("--driverloaded", "n")
    return Command("lvextend", (*_PLAIN, *loaded, "--size", f"{mib}m", *_within(group, [name])))


def reduce_volume(group: str, name: str, mib: int, *, knows_file_systems: bool = False) -> Command:
    """From 2.3.17 on LVM looks for a file system before it cuts, unless told not to."""
    blind = ("--fs", "ignore") if knows_file_systems else ()
    return Command("lvreduce", (*_PLAIN, "--force", *blind, "--size", f"{mib}m", *_within(group, [name])))


def rename_volume(group: str, old: str, new: str) -> Command:
    return Command("lvrename", (*_PLAIN, group, old, new))


def remove_volumes(group: str, names: Iterable[str]) -> Command:
    return Command("lvremove", ("-f", *_PLAIN, *_within(group, names)))


def _tags(delete: Iterable[str], add: Iterable[str]) -> Argv:
    options: list[str] = []
    for tag in delete:
        options += ("--deltag", tag)
    for tag in add:
        options += ("--addtag", tag)
    return tuple(options)


def _within(group: str, names: Iterable[str]) -> Argv:
    return tuple(f"{group}/{name}" for name in names)
