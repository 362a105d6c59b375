"""A real virgated process with folders and a port of its own, for tests and benches."""

import os
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent

NOBODY = 65534
AS_NOBODY = [
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
]
"""Put before a command: another user, who can read the checkout wherever it lies (root's home is closed to others)."""


class Running:
    """The process and how to talk to it."""

    def __init__(self, home: Path, *, uri: str = "test:///default", environment: dict[str, str] | None = None) -> None:
        self.home = home
        self.uri = uri
        self.environment = {**os.environ, **(environment or {})}
        self.port = free_port()
        self.log = home / "virgated.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.api: Any = xmlrpc.client.ServerProxy(f"http://127.0.0.1:{self.port}/", allow_none=True)

    def argv(self, *more: str) -> list[str]:
        settings = {
            "daemon.state_dir": self.home / "state",
            "daemon.run_dir": self.home / "run",
            "daemon.log_file": self.log,
            "hooks.directories": self.home / "hooks.d",
            "plugins.directories": self.home / "plugins.d",
            "libvirt.uri": self.uri,
            "machines.channels": self.home / "run/channels",
            "xmlrpc.port": self.port,
        }
        return [str(BIN / "virgated"), *(f"--set={key}={value}" for key, value in settings.items()), *more]

    def start(self, *more: str, code: int = 0) -> "Running":
        """Returns when `ping` answers with `code`."""
        with (self.home / "stderr").open("ab") as errors:
            self.process = subprocess.Popen(self.argv(*more), stderr=errors, env=self.environment)
        self.until(lambda: self.api.ping()["status"]["code"] == code, "the daemon answers")
        return self

    def until(self, true: Callable[[], Any], what: str, seconds: float = 20) -> None:
        """Waits for something another process does; there is no event to await across processes."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            assert self.process is None or self.process.poll() is None, self.said()
            try:
                if true():
                    return
            except (OSError, xmlrpc.client.Error):
                pass
            time.sleep(0.02)
        raise AssertionError(f"waited in vain until {what}: {self.said()}")

    def said(self) -> str:
        return "".join(path.read_text() for path in (self.home / "stderr", self.log) if path.exists())

    def virgate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [str(BIN / "virgate"), "--server", f"127.0.0.1:{self.port}", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, env=self.environment)

    def end(self) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])
