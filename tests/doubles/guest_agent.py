"""What the guest agent meets in tests: a loop with a clock of its own, a host at the port, children that never run."""

import json
from typing import Any

from virgate_guest.agent import Agent
from virgate_guest.hooks import Hooks
from virgate_guest.loop import Timer
from virgate_guest.settings import Settings

FIXED: dict[str, dict[str, Any]] = {
    "host-name": {"name": "vm7.example.test"},
    "fqdn": {"fqdn": "vm7.example.test"},
    "os-version": {"version": "5.14.0-70.el9.x86_64"},
    "network-interfaces": {
        "interfaces": [
            {
                "name": "eth0",
                "hw": "02:00:00:aa:bb:01",
                "inet": ["192.0.2.10", "192.0.2.11"],
                "inet6": ["fe80::aaff:febb:1"],
            },
            {"name": "eth2", "hw": "02:00:00:aa:bb:03", "inet": [], "inet6": []},
        ]
    },
    "active-user": {"name": "alice"},
    "applications": {"applications": ["kernel-5.14.0-70.el9"]},
    "containers": {"list": []},
    "disks-usage": {
        "disks": [{"path": "/", "total": 10737418240, "used": 3221225472, "fs": "xfs"}],
        "mapping": {"0a1b2c3d-0000-4444-8": {"name": "/dev/vda"}},
    },
    "timezone": {"zone": "Europe/Paris", "offset": 60},
    "os-info": {
        "type": "linux",
        "version": "9.1",
        "distribution": "Example Linux",
        "codename": "Heron",
        "arch": "x86_64",
        "kernel": "5.14.0-70.el9.x86_64",
    },
    "number-of-cpus": {"count": 2},
}
"""What the guest of the specification's vectors knows."""


class TimedLoop:
    """Time passes when a test says so."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.timers: list[tuple[float, int, Timer]] = []

    def now(self) -> float:
        return self.time

    def after(self, seconds: float, act: Any) -> Timer:
        timer = Timer(act)
        self.timers.append((self.time + seconds, len(self.timers), timer))
        return timer

    def on_signal(self, number: int, act: Any) -> None:
        pass

    def pass_by(self, seconds: float) -> int:
        """Does what is due until then; how often something was."""
        end, woken = self.time + seconds, 0
        while due := sorted(one for one in self.timers if one[0] <= end and one[2].act is not None):
            self.time = max(self.time, due[0][0])
            act, due[0][2].act = due[0][2].act, None
            assert act is not None
            act()
            woken += 1
        self.time = end
        return woken


class Host:
    """The port, from the host's side: `said` are the messages, `says` sends a line to the agent."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.connected: Any = None
        self.lost: Any = None
        self.line: Any = None

    def send(self, line: bytes) -> None:
        assert line.endswith(b"\n")
        self.lines.append(line)

    def said(self) -> list[dict[str, Any]]:
        """What came since the last look."""
        found = [json.loads(line) for line in self.lines]
        self.lines.clear()
        return found

    def names(self) -> list[str]:
        return [one["__name__"] for one in self.said()]

    def says(self, name: str, **arguments: Any) -> None:
        self.line(json.dumps(arguments | {"__name__": name}).encode())


class Told:
    """Children that never run: what was to be run, with what on its input; tests end them."""

    def __init__(self, *codes: int | None) -> None:
        self.argvs: list[list[str]] = []
        self.inputs: list[bytes] = []
        self.more: list[dict[str, str]] = []
        self.outputs: dict[str, bytes] = {}
        self.codes = codes

    def run(self, argv: list[str], done: Any, limit: float, given: bytes = b"", **more: str) -> None:
        number = len(self.argvs)
        self.argvs.append(argv)
        self.inputs.append(given)
        self.more.append(more)
        code = self.codes[number] if number < len(self.codes) else 0
        done(code, self.outputs.get(argv[1] if len(argv) > 1 else "", b""))

    def ask(self, question: Any, done: Any, limit: float) -> None:
        done(0, question())


class Somebody:
    """Users of the guest."""

    def __init__(self, *names: str, sessions: tuple[dict[str, str], ...] = ()) -> None:
        self.logged_in = list(names)
        self.open = list(sessions)

    def names(self) -> list[str]:
        return self.logged_in

    def sessions(self) -> list[dict[str, str]]:
        return self.open


class Knowing:
    """Reports of fixed things."""

    def __init__(self) -> None:
        self.known = {name: dict(value) for name, value in FIXED.items()}
        self.users = Somebody("alice")
        self.asked = 0

    def of(self, message: str) -> dict[str, Any]:
        return dict(self.known.get(message, {}))

    def heartbeat(self, now: float) -> dict[str, Any]:
        return {"free-ram": "1464", "memory-stat": {"mem_total": 2000000}}

    def ask(self, done: Any) -> None:
        self.asked += 1
        done()


class Obeying:
    """Power and desktop: remembers what it was asked."""

    def __init__(self) -> None:
        self.did: list[Any] = []
        self.tell: Any = None

    def seen(self, names: list[str]) -> None:
        pass

    def shutdown(self, arguments: dict[str, Any]) -> None:
        self.did.append(("shutdown", arguments))

    def sleep(self, arguments: dict[str, Any]) -> None:
        self.did.append(("sleep", arguments))

    def lock(self) -> None:
        self.did.append("lock")

    def log_off(self) -> None:
        self.did.append("log_off")

    def log_in(self, arguments: dict[str, Any]) -> None:
        self.did.append(("log_in", arguments))


class Scene:
    """An agent and all it meets."""

    def __init__(self, *folders: str, children: Told | None = None) -> None:
        self.loop, self.host, self.known, self.obeying = TimedLoop(), Host(), Knowing(), Obeying()
        self.children = children or Told()
        hooks = Hooks(self.children, 60, folders)  # type: ignore[arg-type]
        parts: Any = (self.loop, self.host, self.known, Settings(), self.obeying, self.obeying, hooks)
        self.agent = Agent(*parts)

    def at_version(self, version: int) -> "Scene":
        """A host has connected and agreed on a version; what was said for that is forgotten."""
        self.host.connected()
        self.host.says("refresh", apiVersion=3)
        self.host.says("api-version", apiVersion=version)
        self.host.said()
        return self
