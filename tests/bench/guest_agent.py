"""The guest agent when nothing happens, measured inside a real guest: memory, processor time, wake-ups.

QEMU is started by itself, with the port of an oVirt host; the bench plays the host and agrees on version 3.
"""

import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path

from figures import Figure

ROOT = Path(__file__).resolve().parents[2]
GUEST = ROOT / "build/guest"
SECONDS = 60
WORDS = f"console=ttyS0 quiet rdinit=/agent-init virgate.address=192.0.2.10/24 virgate.measure={SECONDS}"
EMULATED = ("-accel", "tcg", "-icount", "shift=0")
"""The guest's clock counts an instruction as a nanosecond: what the host does besides is not counted for the guest."""
MEASURED = re.compile(r"VIRGATE-MEASURED seconds (\d+) before (\d+) (\d+) after (\d+) (\d+) pss (\d+) rss (\d+)")


def idle_in_a_guest(folder: Path) -> list[Figure]:
    """A minute of quiet first, then a minute that counts. Without KVM on a processor of 1 GHz, so to speak."""
    subprocess.run([ROOT / "contrib/guest/build_python.sh"], check=True)
    console, channel = folder / "console", folder / "channel"
    with (folder / "qemu.log").open("wb") as log:
        qemu = subprocess.Popen(argv(console, channel), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        found = play_host(channel, console, qemu)
    finally:
        qemu.kill()
        qemu.wait()
    seconds, busy, slept, busy_after, slept_after, pss, _ = map(int, found.groups())
    share = (busy_after - busy) / 1e9 / seconds * 100
    wakes = (slept_after - slept) / seconds
    return [
        Figure("guest agent, idle: processor", share, "%", "under 0.15 %"),
        Figure("guest agent, idle: memory (PSS)", pss / 1024, "MiB", "under 12 MiB"),
        Figure("guest agent, idle: wake-ups", wakes, "/s", "under 2 /s"),
    ]


def argv(console: Path, channel: Path) -> list[str]:
    kvm = os.access("/dev/kvm", os.W_OK) and re.search(r"\b(vmx|svm)\b", Path("/proc/cpuinfo").read_text())
    return [
        "qemu-system-x86_64",
        *(("-accel", "kvm") if kvm else EMULATED),
        *("-m", "256", "-display", "none", "-no-reboot", "-monitor", "none"),
        *("-kernel", str(GUEST / "vmlinuz"), "-initrd", str(GUEST / "initrd-python.img"), "-append", WORDS),
        *("-serial", f"file:{console}", "-nic", "user,model=virtio-net-pci,restrict=on"),
        *("-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,path={channel},server=on,wait=off"),
        *("-device", "virtserialport,chardev=agent,name=com.redhat.rhevm.vdsm"),
    ]


def play_host(channel: Path, console: Path, qemu: "subprocess.Popen[bytes]") -> "re.Match[str]":
    """Answers what the guest measured of its agent."""
    ends = time.monotonic() + 2 * SECONDS + 120
    while not channel.exists():
        assert qemu.poll() is None and time.monotonic() < ends, "QEMU does not run"
        time.sleep(0.05)
    with socket.socket(socket.AF_UNIX) as host:
        host.connect(str(channel))
        host.settimeout(1)
        say(host, "refresh")
        agreed, begun = False, b""
        while time.monotonic() < ends:
            try:
                begun += host.recv(65536)
            except TimeoutError:
                pass
            *lines, begun = begun.split(b"\n")
            if not agreed and any(json.loads(line).get("apiVersion") == 3 for line in lines if line):
                agreed = True
                say(host, "api-version")
            if found := MEASURED.search(console.read_text(errors="replace")):
                return found
    raise AssertionError(console.read_text(errors="replace")[-2000:])


def say(host: socket.socket, name: str) -> None:
    host.sendall(json.dumps({"apiVersion": 3, "__name__": name}).encode() + b"\n")
