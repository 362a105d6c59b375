"""`make bench`: measures what the documentation promises and writes build/bench.json and a table. Asserts nothing.

Figures that compare two things are measured in turn, A B A B, in the same run; the ratio is that of the medians.
Name benches on the command line to run only those.
"""

import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(Path(__file__).parent)]
os.environ["PATH"] += ":/usr/sbin:/sbin"

import agents  # noqa: E402
import calls  # noqa: E402
import daemon  # noqa: E402
import events  # noqa: E402
import guest_agent  # noqa: E402
import hooks  # noqa: E402
import machines  # noqa: E402
import migration  # noqa: E402
import monitor  # noqa: E402
import san  # noqa: E402
import storage  # noqa: E402
import thirty  # noqa: E402
import volumes  # noqa: E402
from figures import Figure  # noqa: E402

BENCHES: dict[str, Callable[[Path], list[Figure]]] = {
    "create": machines.create_against_virsh,
    "thirty": thirty.thirty_against_virsh,
    "migration": migration.idle_guest,
    "guest": guest_agent.idle_in_a_guest,
    "hooks": hooks.script_against_bare_process,
    "points": hooks.point_with_ten_plugins,
    "stats": machines.statistics_of_a_thousand,
    "agents": agents.four_hundred_agents,
    "calls": calls.pings,
    "events": events.event_to_subscriber,
    "volume": volumes.create_against_qemu_img,
    "copy": storage.copy_against_convert,
    "list": storage.list_of_files,
    "blocklist": storage.list_of_logical_volumes,
    "block": san.create_on_block_domain,
    "growing": san.growing,
    "failover": san.failover,
    "monitor": monitor.fifty_domains,
    "daemon": daemon.start_and_idle,
}


def main(wanted: list[str]) -> int:
    found: list[Figure] = []
    table = Table("what", "measured", "reference", "target")
    for name, bench in BENCHES.items():
        if wanted and name not in wanted:
            continue
        print(f"{name} ...", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="vb-", dir="/var/tmp") as folder:
            found += bench(Path(folder))
    for figure in found:
        table.add_row(figure.what, figure.measured, figure.reference, figure.target)
    Console().print(table)
    report = {
        "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "figures": [figure.as_json() for figure in found],
    }
    target = ROOT / "build/bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(report, indent=2) + "\n")
    print(f"written to {target.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
