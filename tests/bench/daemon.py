"""Start to the first answer; memory and CPU of a daemon that has nothing to do."""

import os
import statistics
import time
from pathlib import Path

from figures import Figure
from lab.virgated import Running

IDLE = 30.0
NODE = "<node><memory>4194304</memory></node>"
"""A host of libvirt's test driver on which nothing runs; its usual one has a machine."""


def start_and_idle(folder: Path) -> list[Figure]:
    starts = []
    node = folder / "node.xml"
    node.write_text(NODE)
    for number in range(5):
        home = folder / str(number)
        home.mkdir()
        running = Running(home, uri=f"test://{node}")
        begun = time.perf_counter()
        running.start()
        starts.append(time.perf_counter() - begun)
        if number < 4:
            running.end()
    assert running.process is not None
    try:
        pid = running.process.pid
        time.sleep(5)
        before, begun = cpu_seconds(pid), time.perf_counter()
        time.sleep(IDLE)
        used = (cpu_seconds(pid) - before) / (time.perf_counter() - begun) * 100
        return [
            Figure("daemon start to first answer", statistics.median(starts), "s", "under 1.5 s"),
            Figure("idle daemon, resident memory", resident(pid) / (1 << 20), "MiB", "under 60 MiB"),
            Figure("idle daemon, CPU", used, "% of a core", "under 0.3 %"),
        ]
    finally:
        running.end()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
