"""The small guest of contrib/guest as domain XML, and what it says on its console."""

import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

PROJECT = Path(__file__).parents[2]
GUEST = PROJECT / "build" / "guest"

DOMAIN = """<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>{memory}</memory>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{guest}/vmlinuz</kernel>
    <initrd>{guest}/initrd.img</initrd>
    <cmdline>console=ttyS0 quiet {cmdline}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    {disks}
    <controller type='usb' model='none'/>
    <serial type='pty'><log file='{console}' append='on'/></serial>
    <console type='pty'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""
DISK = """<disk type='file' device='disk'>
      <driver name='qemu' type='{format}' cache='none'/>
      <source file='{path}'/>
      <target dev='vd{letter}' bus='virtio'/>
    </disk>"""


def build_guest() -> Path:
    """The folder with `vmlinuz` and `initrd.img`, built when missing."""
    subprocess.run([PROJECT / "contrib" / "guest" / "build.sh"], check=True, timeout=300)
    return GUEST


def build_python_guest() -> Path:
    """The same with `initrd-python.img`, which has the agent."""
    subprocess.run([PROJECT / "contrib" / "guest" / "build_python.sh"], check=True, timeout=300)
    return GUEST


def domain_xml(
    name: str,
    console: Path,
    *,
    disks: Sequence[tuple[Path, str]] = (),
    cmdline: str = "virgate.count=1",
    memory: int = 192,
) -> str:
    """A domain whose console is logged to `console`. `disks` are (path, format); `memory` is in MiB."""
    elements = [
        DISK.format(path=escape(str(path)), format=kind, letter=letter)
        for (path, kind), letter in zip(disks, "abcdefgh", strict=False)
    ]
    return DOMAIN.format(
        name=name,
        memory=memory,
        guest=GUEST,
        cmdline=cmdline,
        disks="\n    ".join(elements),
        console=escape(str(console)),
    )


class Console:
    """The log of a guest's serial line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def text(self) -> str:
        text = self.path.read_bytes().decode(errors="replace") if self.path.exists() else ""
        return text.replace("\r\n", "\n")

    def wait(self, pattern: str, *, after: int = 0, timeout: float = 60.0) -> re.Match[str]:
        """The first match behind the first `after` characters."""
        deadline = time.monotonic() + timeout
        while not (found := re.compile(pattern).search(self.text(), after)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{pattern!r} did not appear on the console:\n{self.text()[-2000:]}")
            time.sleep(0.05)
        return found

    def counted(self) -> int:
        """How far the guest has counted; -1 before it began."""
        return max((int(number) for number in re.findall(r"VIRGATE-COUNT (\d+)", self.text())), default=-1)
