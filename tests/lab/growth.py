"""Thin volumes filled in the lab: a process that writes, how far it is, and figures of what room for it cost."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.calls import Refused
from lab.cleanup import Lab
from lab.nodes import Node
from lab.pools import MIB, Disk, Pool
from lab.uml import Job

PLUGIN = Path(__file__).parent / "plugins" / "growing_lab.py"
PIECE = 16 * MIB


def plugin_settings(lab: Lab) -> dict[str, object]:
    """Settings of nodes that have the lab's verbs."""
    folder = lab.subfolder("plugins")
    shutil.copy(PLUGIN, folder)
    return {"plugins.directories": f'["{folder}"]'}


def grow(node: Node, pool: Pool, disk: Disk, mib: int) -> dict[str, Any]:
    try:
        return node.call("labGrow", pool.id, disk.domain, disk.image, disk.volume, mib)
    except (OSError, Refused) as problem:
        raise AssertionError(f"{node} does not let {disk} grow: {problem}\n{node.last_words()}") from problem


class Filler:
    """One qemu-io that writes a prepared volume from its start on, 16 MiB at a time with a pause after each."""

    def __init__(self, node: Node, path: str, size: int, pause: int) -> None:
        self.node, self.size = node, size
        self._said = f"/run/filler-{abs(hash(path))}"
        commands = [
            argument
            for offset in range(0, size, PIECE)
            for argument in ("-c", f"write -P {1 + offset // PIECE % 250} {offset} {PIECE}", "-c", f"sleep {pause}")
        ]
        script = 'said=$1; shift; exec "$@" >"$said" 2>&1'
        argv = [
            "sh",
            "-c",
            script,
            "sh",
            self._said,
            "stdbuf",
            "-oL",
            "qemu-io",
            "-t",
            "none",
            "-f",
            "qcow2",
            *commands,
            path,
        ]
        self._job: Job = node.host.start(*argv, timeout=600)

    @property
    def ended(self) -> bool:
        return self._job.ended

    @property
    def written(self) -> int:
        """Bytes of data that are on storage."""
        return self.said().count("\nwrote ") * PIECE + self.said().startswith("wrote ") * PIECE

    def said(self) -> str:
        return self.node.host.shell(f"cat {self._said} 2>/dev/null || true")

    def check(self) -> None:
        """Every write succeeded."""
        ended = self._job.wait(60)
        assert ended.code == 0, self.said()[-2000:]
        assert "error" not in self.said().lower() and self.written == self.size, self.said()


def figures(seconds: Sequence[float]) -> str:
    """Least, middle, 95th of 100, most; in milliseconds."""
    found = sorted(seconds)
    at = [found[0], found[len(found) // 2], found[min(len(found) - 1, int(len(found) * 0.95))], found[-1]]
    return "min {:.0f}, p50 {:.0f}, p95 {:.0f}, max {:.0f} ms".format(*(1000 * one for one in at)) + f" of {len(found)}"
