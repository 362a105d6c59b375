"""Names, versions, processors and the time zone of the guest (spec guest-agent 3.1, 6.4)."""

import os
import time

from virgate_guest.errands import Errands
from virgate_guest.sources import Kept, content
from virgate_guest.wire import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

RELEASE = ("/etc/os-release", "/usr/lib/os-release")
ZONE = ("/etc/localtime", "/etc/timezone", "/etc/sysconfig/clock")
PROCESSORS = "/sys/devices/system/cpu"
PATIENCE = 10.0


def kernel() -> str:
    return os.uname().release


# -- the operating system


def assignments(listing: bytes) -> "dict[str, str]":
    """Lines NAME=VALUE as a shell would read them, quotes taken off."""
    found = {}
    for line in text(listing).splitlines():
        name, mark, value = line.strip().partition("=")
        if not mark or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found[name.strip()] = value.replace('\\"', '"').replace("\\$", "$").replace("\\\\", "\\")
    return found


def architecture(machine: str) -> str:
    return "x86" if machine in ("i386", "i486", "i586", "i686") else machine.lower()


def os_info(release: "dict[str, str]", machine: str, running: str) -> "dict[str, str]":
    return {
        "type": "linux",
        "arch": architecture(machine),
        "kernel": running,
        "distribution": release.get("NAME", ""),
        "version": release.get("VERSION_ID", ""),
        "codename": release.get("VERSION_CODENAME", ""),
    }


def read_os_info() -> "dict[str, str]":
    release: dict[str, str] = {}
    for path in RELEASE:
        release = release or assignments(content(path))
    return os_info(release, os.uname().machine, kernel())


# -- the time zone


def zone_name(link: "str | None", timezone: bytes, clock: bytes) -> str:
    """As hosts know it: the last two parts of the link's target, whatever they are."""
    if link:
        return "/".join(link.split("/")[-2:])
    return text(timezone).strip() or assignments(clock).get("ZONE", "")


def minutes_east() -> int:
    """Of the standard time, also in summer."""
    return -time.timezone // 60


def read_timezone() -> "dict[str, str | int]":
    time.tzset()
    link = None
    try:
        link = os.readlink(ZONE[0])
    except OSError:
        pass
    return {"zone": zone_name(link, content(ZONE[1]), content(ZONE[2])), "offset": minutes_east()}


# -- processors


def count(listing: str) -> int:
    """How many a list like `0-2,5` names; -1 for none."""
    found = 0
    try:
        for piece in listing.strip().split(","):
            first, _, last = piece.partition("-")
            found += int(last or first) - int(first) + 1
    except ValueError:
        return -1
    return found


def processors(folder: str = PROCESSORS) -> int:
    return count(text(content(folder + "/online")))


def switch_on(wanted: int, folder: str = PROCESSORS) -> None:
    """Uses processors that were plugged but not switched on, until there are as many. None is switched off."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.startswith("cpu") and name[3:].isdigit())
    except OSError:
        return
    for name in names:
        if processors(folder) >= wanted:
            return
        switch = f"{folder}/{name}/online"
        if content(switch).strip() != b"0":
            continue
        try:
            with open(switch, "wb", buffering=0) as file:
                file.write(b"1")
        except OSError:
            continue


# -- the name


def name_in_hosts(hosts: bytes, short: str) -> str:
    """The full name of this guest in /etc/hosts; empty when it is not there."""
    for line in text(hosts).splitlines():
        names = line.partition("#")[0].split()[1:]
        if short in names:
            for name in names:
                if name.startswith(short + "."):
                    return name
    return ""


class Name:
    """The guest's full name. Only when the guest itself does not know it, name servers are asked, by a child."""

    def __init__(self, errands: Errands) -> None:
        self._errands = errands
        self._resolved: dict[str, str] = {}
        self._asking = False
        self._hosts = Kept(("/etc/hosts",), lambda: content("/etc/hosts"))

    def get(self) -> str:
        short = os.uname().nodename
        if "." in short:
            return short
        hosts = self._hosts.get()
        assert isinstance(hosts, bytes)
        return name_in_hosts(hosts, short) or self._resolved.get(short, short)

    def ask(self, done: "Callable[[], None]") -> None:
        """Calls `done` when the name is known as well as can be: at once, or after the name servers' answer."""
        short = os.uname().nodename
        if "." in self.get() or self._asking:
            done()
            return
        self._asking = True

        def resolve() -> bytes:
            from socket import getfqdn

            return getfqdn(short).encode("utf-8", "replace")

        def answered(code: "int | None", output: bytes) -> None:
            self._asking = False
            name = text(output)
            if code == 0 and name.startswith(short + "."):
                self._resolved = {short: name}
            done()

        self._errands.ask(resolve, answered, PATIENCE)
