"""Strategies for devices as `list full` shows them once they run: what building and reading must leave as it is."""

import string

from hypothesis import strategies as st

from virgate.domxml.names import disk_name

WORD = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=12)
NUMBER = st.integers(1, 1 << 30).map(str)
YES = st.sampled_from(["true", "false"])
PCI = st.builds(
    lambda slot, function: {
        "type": "pci",
        "domain": "0x0000",
        "bus": "0x00",
        "slot": f"0x{slot:02x}",
        "function": f"0x{function:x}",
    },
    st.integers(1, 31),
    st.integers(0, 7),
)
MAC = st.integers(0, (1 << 24) - 1).map(lambda n: f"00:1a:4a:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}")
UUID = st.uuids().map(str)
BOOT = st.integers(1, 40).map(str)
TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=12).filter(
    lambda text: text == text.strip()
)


def struct(_kind, _device, _some=None, **always):
    """A device of a type: members that are always there, and members of which any may be missing."""
    fixed = {"type": st.just(_kind), "device": _device if isinstance(_device, st.SearchStrategy) else st.just(_device)}
    return st.fixed_dictionaries({**fixed, **always}, optional=_some or {})


def wishes(_some=None, **always):
    return st.fixed_dictionaries(always, optional=_some or {})


def filled(strategy):
    """Structs that say nothing are not told."""
    return strategy.filter(bool)


LIMITS = st.one_of(
    st.dictionaries(st.sampled_from(["read_bytes_sec", "write_iops_sec"]), NUMBER, min_size=1),
    st.dictionaries(st.sampled_from(["total_bytes_sec", "total_iops_sec"]), NUMBER, min_size=1),
)


def _named(disk):
    return disk | {"name": disk_name(disk["iface"], disk["index"])}


HOSTS = st.lists(
    st.fixed_dictionaries({"name": WORD, "port": NUMBER}, optional={"transport": st.just("rdma")}),
    min_size=1,
    max_size=2,
)
NETWORK = {
    "path": WORD.map(lambda name: f"pool/{name}"),
    "diskType": st.just("network"),
    "protocol": st.sampled_from(["rbd", "nbd", "gluster"]),
    "hosts": HOSTS,
}
HARD = {
    "iface": st.sampled_from(["ide", "scsi", "virtio"]),
    "index": st.integers(0, 800),
    "readonly": st.sampled_from(["True", "False"]),
    "format": st.sampled_from(["raw", "cow"]),
    "propagateErrors": st.sampled_from(["on", "off"]),
}
DISK_EXTRAS = {
    "serial": WORD,
    "shared": st.just("shared"),
    "cache": st.sampled_from(["writeback", "writethrough", "directsync"]),
    "specParams": filled(wishes({"ioTune": LIMITS, "pinToIoThread": st.integers(1, 4).map(str)})),
    "bootOrder": BOOT,
    "address": PCI,
}
PATH = WORD.map(lambda name: f"/images/{name}")
DISKS = st.one_of(
    struct("disk", "disk", DISK_EXTRAS, path=PATH, **HARD).map(_named),
    struct("disk", "disk", {"diskType": st.just("file")}, path=st.just("/dev/shm/a"), **HARD)
    .map(_named)
    .map(lambda disk: disk | {"diskType": "file"}),
    struct("disk", "disk", path=WORD.map(lambda name: f"/rhev/{name}"), diskType=st.just("block"), **HARD).map(_named),
    struct("disk", "lun", {"sgio": st.just("unfiltered")}, path=st.just("/dev/mapper/x"), **HARD).map(_named),
    struct(
        "disk",
        "disk",
        {"auth": wishes(username=WORD, type=st.just("ceph"), uuid=UUID)},
        **NETWORK,
        **HARD,
    ).map(_named),
    struct(
        "disk",
        st.sampled_from(["cdrom", "floppy"]),
        {"serial": WORD, "address": PCI, "bootOrder": BOOT},
        path=st.one_of(st.just(""), PATH),
        **{name: HARD[name] for name in ("iface", "index", "readonly")},
    ).map(_named),
)
RATES = st.fixed_dictionaries({"average": NUMBER}, optional={"peak": NUMBER, "burst": NUMBER})
NIC_WISHES = filled(wishes({"vlanid": st.integers(1, 4094).map(str), "inbound": RATES, "outbound": RATES}))


def _without_queues(nic):
    """Only virtio has more than one."""
    return nic if nic.get("nicModel") == "virtio" else {name: one for name, one in nic.items() if name != "custom"}


NICS = st.one_of(
    struct(
        "interface",
        "bridge",
        {
            "macAddr": MAC,
            "nicModel": st.sampled_from(["virtio", "e1000", "rtl8139"]),
            "filter": WORD,
            "custom": wishes(queues=st.integers(2, 8).map(str)),
            "specParams": NIC_WISHES,
            "bootOrder": BOOT,
            "address": PCI,
        },
        network=st.one_of(st.just(""), WORD),
        linkActive=st.booleans(),
    ).map(_without_queues),
    struct("interface", "network", {"macAddr": MAC}, network=WORD, linkActive=st.booleans()),
    struct(
        "interface",
        "hostdev",
        {
            "macAddr": MAC,
            "specParams": wishes(vlanid=st.integers(1, 4094).map(str)),
            "managed": st.just("true"),
        },
        hostdev=st.sampled_from(["pci_0000_05_10_1", "pci_00ff_1a_1f_7"]),
        linkActive=st.booleans(),
    ),
)
CHANNELS = ("main", "display", "inputs", "usbredir")
"""In libvirt's order."""
SPICE = st.sets(st.sampled_from(CHANNELS), min_size=1).map(lambda some: ",".join(sorted(some, key=CHANNELS.index)))
SCREEN = {"keyMap": st.sampled_from(["de", "en-us"]), "displayNetwork": WORD}
PORTS = {"port": st.just("-1"), "tlsPort": st.just("-1")}
SCREENS = st.one_of(
    struct("graphics", "vnc", specParams=wishes(SCREEN, disableTicketing=YES), **PORTS),
    struct(
        "graphics",
        "spice",
        specParams=wishes(
            {**SCREEN, "spiceSecureChannels": SPICE}, disableTicketing=YES, copyPasteEnable=YES, fileTransferEnable=YES
        ),
        **PORTS,
    ),
)
ROUND = st.integers(10, 16).map(lambda power: str(1 << power))
MODEL = st.sampled_from(["ich9-ehci1", "ich9-uhci1", "virtio-scsi", "lsilogic"])
CHIP = st.sampled_from(["tpm-tis", "tpm-crb"])
PLACED = {"address": PCI}
SIMPLE = st.one_of(
    struct(
        "video",
        st.sampled_from(["qxl", "vga", "cirrus", "virtio"]),
        PLACED,
        specParams=wishes({"ram": ROUND, "vgamem": ROUND}, vram=ROUND, heads=st.integers(1, 4).map(str)),
    ),
    struct("sound", st.sampled_from(["ich6", "ich9", "ac97"]), PLACED),
    struct(
        "controller",
        st.sampled_from(["usb", "scsi", "ide", "ccid", "virtio-serial"]),
        {**PLACED, "model": MODEL, "master": wishes(startport=st.integers(0, 6).map(str))},
        index=st.integers(0, 9).map(str),
    ),
    struct(
        "watchdog",
        "watchdog",
        PLACED,
        specParams=wishes(model=st.sampled_from(["i6300esb", "ib700"]), action=st.sampled_from(["none", "reset"])),
    ),
    struct("smartcard", "smartcard", PLACED, specParams=wishes(mode=st.just("passthrough"), type=st.just("spicevmc"))),
    struct("redir", "spicevmc", PLACED, bus=st.just("usb")),
    struct(
        "rng",
        "virtio",
        {"address": PCI},
        model=st.just("virtio"),
        specParams=wishes(source=st.sampled_from(["random", "hwrng"]))
        | wishes(source=st.just("random"), bytes=NUMBER, period=NUMBER),
    ),
    struct("tpm", "tpm", specParams=wishes(model=CHIP, mode=st.just("passthrough"), path=st.just("/dev/tpm1")))
    | struct(
        "tpm", "tpm", specParams=wishes(model=CHIP, mode=st.just("emulator"), version=st.sampled_from(["1.2", "2.0"]))
    ),
    struct(
        "hostdev",
        st.sampled_from(["pci_0000_00_1f_2", "scsi_3_0_1_2"]),
        {**PLACED, "bootOrder": BOOT, "managed": st.just("true")},
    ),
    struct("memory", "memory", size=st.integers(1, 1 << 20).map(str), node=st.integers(0, 7).map(str)),
    struct("lease", "lease", lease_id=TEXT, sd_id=UUID, path=PATH, offset=NUMBER),
    struct("channel", "unix", PLACED, name=WORD.map(lambda name: f"org.test.{name}")),
    struct("channel", "pty", PLACED, name=WORD),
    struct("balloon", "memballoon", specParams=wishes(model=st.just("none")))
    | struct("balloon", "memballoon", PLACED, specParams=wishes(model=st.just("virtio"))),
    struct(
        "console",
        "console",
        specParams=wishes(consoleType=st.sampled_from(["virtio", "serial"]), enableSocket=YES),
    ),
)
ANY = st.one_of(DISKS, NICS, SCREENS, SIMPLE)
