"""The configuration: files in the format and with the keys of the oVirt guest agent (spec guest-agent 6.2)."""

from virgate_guest import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FILES = ("/etc/ovirt-guest-agent.conf", "/etc/virgate-guest.conf")
"""Read in this order, later values win; so an old agent's file goes on to count."""

APPLICATIONS = (
    "kernel ovirt-guest-agent ovirt-guest-agent-common xorg-x11-drv-qxl linux-image xserver-xorg-video-qxl "
    "xf86-video-qxl kernel-core kernel-desktop kernel-default kernel-trace kernel-vanilla kernel-debug kernel-ec2 "
    "kernel-xen kernel-ppc64 linux-image-* linux-lts linux-virt linux cloud-init qemu-guest-agent"
)
FILE_SYSTEMS = (
    "autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fusectl fuse.gvfsd-fuse "
    "fuse.gvfs-fuse-daemon fuse.lxcfs fuse.portal hugetlbfs mqueue nfsd nsfs overlay proc pstore ramfs rootfs "
    "rpc_pipefs securityfs selinuxfs squashfs sysfs tmpfs tracefs udev usbfs"
)


def seconds(value: str) -> float:
    found = float(value)
    if not 0 <= found <= 86400 * 366:
        raise ValueError(value)
    return found


def words(value: str) -> "list[str]":
    return value.split()


def truth(value: str) -> bool:
    found = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    return found[value.strip().lower()]


OPTIONS: "dict[str, tuple[str, Callable[[str], object], str]]" = {
    "heart_beat_rate": ("general", seconds, "5"),
    "report_user_rate": ("general", seconds, "10"),
    "report_num_cpu_rate": ("general", seconds, "60"),
    "report_application_rate": ("general", seconds, "120"),
    "report_disk_usage": ("general", seconds, "300"),
    "applications_list": ("general", words, APPLICATIONS),
    "ignored_fs": ("general", words, FILE_SYSTEMS),
    "ignore_zero_size_fs": ("general", truth, "true"),
    "ignored_nics": ("general", words, "docker0 veth* virbr* cni* flannel* cali* vnet*"),
    "hook_timeout": ("general", seconds, "60"),
    "containers": ("general", truth, "true"),
    "verbose": ("general", truth, "false"),
    "device_prefix": ("virtio", str, "/dev/virtio-ports/"),
    "device": ("virtio", str, ""),
}


class Settings:
    """One attribute per key. `device` names one file instead of the ports: /dev/ttyS1 for an isa-serial channel."""

    heart_beat_rate = 5.0
    report_user_rate = 10.0
    report_num_cpu_rate = 60.0
    report_application_rate = 120.0
    report_disk_usage = 300.0
    applications_list: "list[str]" = []
    ignored_fs: "list[str]" = []
    ignore_zero_size_fs = True
    ignored_nics: "list[str]" = []
    hook_timeout = 60.0
    containers = True
    verbose = False
    device_prefix = ""
    device = ""

    def __init__(self, given: "dict[tuple[str, str], str] | None" = None) -> None:
        for name, (section, kind, default) in OPTIONS.items():
            setattr(self, name, kind(default))
            said = (given or {}).get((section, name))
            if said is None:
                continue
            try:
                setattr(self, name, kind(said))
            except (ValueError, KeyError):
                log.warning("the configuration's {} = {} is not understood, {} counts", name, said, default)


def parse(content: str) -> "dict[tuple[str, str], str]":
    """Values by section and key, keys in small letters. A line that starts with a space goes on with the last value."""
    found: dict[tuple[str, str], str] = {}
    section = ""
    last: tuple[str, str] | None = None
    for line in content.splitlines():
        bare = line.strip()
        if not bare or bare[0] in "#;":
            continue
        if bare[0] == "[" and bare[-1] == "]":
            section, last = bare[1:-1].strip(), None
        elif line[0] in " \t" and last is not None:
            found[last] = found[last] + " " + bare
        else:
            name, mark, value = _split(bare)
            if not mark:
                log.warning("the configuration's line {} is not understood", bare)
                continue
            last = (section, name.strip().lower())
            found[last] = value.strip()
    return found


def _split(line: str) -> "tuple[str, str, str]":
    places = [place for place in (line.find("="), line.find(":")) if place > 0]
    if not places:
        return line, "", ""
    place = min(places)
    return line[:place], line[place], line[place + 1 :]


def load(paths: "tuple[str, ...]" = FILES) -> Settings:
    """The settings of the files that are there."""
    given: dict[tuple[str, str], str] = {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                given.update(parse(file.read(1 << 20).decode("utf-8", "replace")))
        except FileNotFoundError:
            continue
        except OSError as problem:
            log.warning("{} is not readable: {}", path, problem)
    return Settings(given)
