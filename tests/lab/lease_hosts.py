"""Hosts that hold leases, each through a `lease_agent.py` of its own, called by files in a shared folder."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from lab.cleanup import Lab
from lab.guests import PROJECT
from lab.uml import Job, UmlHost
from virgate.errors import VirgateError

AGENT = Path(__file__).with_name("lease_agent.py")
SANLOCK = """
mkdir -p /run/sanlock
sanlock daemon -w 0 -U root -G root -e {name}
until sanlock client status >/dev/null 2>&1; do sleep 0.1; done
"""


class Refused(VirgateError):
    """What the lease manager in the host raised."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code  # type: ignore[misc]

    def __str__(self) -> str:
        return str(self.args[0])


class Member:
    """One host's part in the leases of one domain below a folder that all hosts see."""

    def __init__(self, lab: Lab, host: UmlHost, folder: str, domain: str, io_timeout: int) -> None:
        self.host, self.domain = host, domain
        self._argv = [folder, domain, io_timeout]
        self._lab = lab
        self._starts = 0
        self.start()

    def start(self) -> None:
        """The daemon; it knows nothing of an earlier one."""
        self._starts += 1
        folder, domain, io_timeout = self._argv
        self._calls = 0
        self._place = self._lab.subfolder(f"{self.host.name}/{domain}/{self._starts}")
        files = [f"{folder}/{domain}/{name}" for name in ("ids", "leases")]
        argv = [sys.executable, str(AGENT), str(self._place), domain, *files, str(io_timeout)]
        script = 'cd "$1"; shift; echo $$ >"$1.pid"; shift; exec "$@" 2>"$0"'
        log = str(self._place / "log")
        self.job: Job = self.host.start("sh", "-c", script, log, str(PROJECT), str(self._place), *argv)

    def begin(self, method: str, *arguments: Any) -> int:
        self._calls += 1
        call = self._place / f".{self._calls}"
        call.write_text(json.dumps([method, arguments]))
        call.rename(self._place / f"{self._calls}.call")
        return self._calls

    def finish(self, number: int, patience: float = 60.0) -> Any:
        answer = json.loads(self._await(f"{number}.answer", patience))
        if "code" in answer:
            raise Refused(answer["code"], answer["text"])
        return answer["result"]

    def ended(self, number: int) -> float:
        """When a call was answered."""
        return (self._place / f"{number}.answer").stat().st_mtime

    def call(self, method: str, *arguments: Any, patience: float = 60.0) -> Any:
        return self.finish(self.begin(method, *arguments), patience)

    def lost(self, patience: float) -> tuple[float, str]:
        """When the lease was lost by the host's clock, and why."""
        when, why = json.loads(self._await("lost", patience))
        return when, why

    def kill(self) -> None:
        """kill -9 of the daemon."""
        self.host.shell(f"kill -9 $(cat {self._place}.pid) 2>/dev/null || true")

    @property
    def log(self) -> str:
        return (self._place / "log").read_text()

    def _await(self, name: str, patience: float) -> str:
        deadline = time.monotonic() + patience
        while not (self._place / name).exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.host.name}: no {name} within {patience:g} s\n{self.log}")
            time.sleep(0.05)
        return (self._place / name).read_text()
