"""What watching fifty domains costs: CPU of the daemon and of its helpers, and their memory."""

import os
import time
from pathlib import Path

from daemon import cpu_seconds, resident
from figures import Figure
from lab.virgated import Running

DOMAINS = 50
WATCHED = 40.0
POOL = "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e1001"
BLANK = "00000000-0000-0000-0000-000000000000"


def domain(number: int) -> str:
    return f"5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e2{number:03}"


def fifty_domains(folder: Path) -> list[Figure]:
    running = Running(folder).start()
    assert running.process is not None
    try:
        ids = [domain(number) for number in range(DOMAINS)]
        for number, id in enumerate(ids):
            place = folder / f"d{number}"
            place.mkdir()
            ask(running, "connectStorageServer", 4, BLANK, [{"id": str(number), "connection": str(place)}])
            ask(running, "createStorageDomain", 4, id, f"d{number}", str(place), 1, "5")
        ask(running, "createStoragePool", 0, POOL, "bench", ids[0], ids[:1], 1)
        ask(running, "connectStoragePool", POOL, 1, POOL, ids[0], 1, dict.fromkeys(ids, "active"))
        running.until(lambda: all(entry["actual"] for entry in report(running).values()), "all are looked at")
        watched = len(report(running))
        assert watched == DOMAINS, watched
        pid = running.process.pid
        time.sleep(15)  # what the first looks set going
        before = {one: cpu_seconds(one) for one in (pid, *children(pid))}
        begun = time.perf_counter()
        time.sleep(WATCHED)
        passed = time.perf_counter() - begun
        used = {one: cpu_seconds(one) - before.get(one, 0.0) for one in (pid, *children(pid))}
        delays = [float(entry["lastCheck"]) for entry in report(running).values()]
        running.until(lambda: len(children(pid)) <= 2, "idle helpers end", 90)
        helpers = sum(resident(one) for one in children(pid)) / (1 << 20)
        return [
            Figure("monitor of 50 domains, CPU", sum(used.values()) / passed * 100, "% of a core", "under 3 %"),
            Figure("the daemon's part of that", used[pid] / passed * 100, "% of a core", ""),
            Figure("oldest look at one of 50 domains", max(delays), "s", "under 12 s"),
            Figure("helpers that watch 50 domains, resident memory", helpers, "MiB", "under 40 MiB"),
        ]
    finally:
        running.end()


def ask(running: Running, verb: str, *arguments: object) -> dict[str, object]:
    answer = getattr(running.api, verb)(*arguments)
    assert answer["status"]["code"] == 0, (verb, answer)
    return dict(answer)


def report(running: Running) -> dict[str, dict[str, object]]:
    return {key: value for key, value in ask(running, "repoStats").items() if key != "status"}  # type: ignore[misc]


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return [child for child in found if os.path.exists(f"/proc/{child}")]
