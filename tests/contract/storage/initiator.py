"""open-iscsi played in memory: records, sessions and a target that may ask for credentials.

It stands where the plugin starts iscsiadm and its helper, so that every failure can be had in any step.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from virgate.run.process import Finished
from virgate_plugins.storage.iscsi import discovering, records, sessions
from virgate_plugins.storage.iscsi.admin import NO_PROGRAM
from virgate_plugins.storage.iscsi.running import NoIscsiadm

ACTIONS = ("new", "delete", "update", "--login", "--logout", "--discover")
AUTH = "node.session.auth."


class Initiator:
    """`codes`: what iscsiadm ends with for an action ("new", "--login" ...) instead of doing it."""

    def __init__(self, monkeypatch: Any) -> None:
        self.argvs: list[list[str]] = []
        self.codes: dict[str, int] = {}
        self.files: dict[str, str] = {}
        self.sessions: dict[str, dict[str, str]] = {}
        self.interfaces: dict[str, str] = {}
        self.obstacle = ""
        self.installed = True
        self.wanted: tuple[str, str] | None = None
        """The credentials that the target asks for."""
        for module in (sessions, discovering):
            monkeypatch.setattr(module, "turn", self.turn)
            monkeypatch.setattr(module, "iscsiadm", self.iscsiadm)

    @asynccontextmanager
    async def turn(self, portal: str) -> AsyncIterator["Initiator"]:
        yield self

    async def call(self, operation: str, *arguments: Any, timeout: float | None = None) -> Any:
        match operation, arguments:
            case "sessions", ():
                return self.sessions
            case "addresses", (host,):
                return ["10.0.0.1"] if host == "storage" else [host]
            case "obstacle", _:
                return self.obstacle
            case "has_record", (name,):
                return name in self.files
            case "change_record", (name, values):
                before = self.files[name]
                self.files[name] = records.changed(before, values)
                return before
            case "restore_record", (name, text):
                self.files[name] = text
            case "multipathd_runs", ():
                return False
        return None

    async def iscsiadm(self, argv: list[str]) -> Finished:
        if not self.installed:
            raise NoIscsiadm(NO_PROGRAM)
        self.argvs.append(argv)
        action = next(
            (word for word in ("new", "delete", "update", "--login", "--logout", "--discover") if word in argv), ""
        )
        if action in self.codes:
            return Finished(self.codes[action], b"", b"iscsiadm: it was so\n")
        code, said = getattr(self, f"_{argv[2]}")(action, argv)
        return Finished(code, said.encode(), b"")

    def _value(self, argv: list[str], flag: str) -> str:
        return argv[argv.index(flag) + 1] if flag in argv else ""

    def _node(self, action: str, argv: list[str]) -> tuple[int, str]:
        iqn, place, iface = (self._value(argv, flag) for flag in ("-T", "-p", "-I"))
        host, _, rest = place.rpartition(":")
        name = f"nodes/{iqn}/{host.strip('[]')},{rest}/{iface}"
        if action == "new":
            self.files[name] = "# BEGIN RECORD\nnode.startup = automatic\n# END RECORD\n"
        elif name not in self.files:
            return 21, ""
        elif action == "delete":
            del self.files[name]
        elif action == "--login":
            return self._log_in(name, iqn, host, rest.partition(",")[0], iface), ""
        return 0, ""

    def _log_in(self, name: str, iqn: str, host: str, port: str, iface: str) -> int:
        values = dict(line.split(" = ", 1) for line in self.files[name].splitlines() if " = " in line)
        given = (values.get(AUTH + "username", ""), values.get(AUTH + "password", ""))
        if self.wanted not in (None, given):
            return 24
        number = f"session{len(self.sessions) + 1}"
        place = {"address": "10.0.0.1" if host == "storage" else host, "port": port}
        persistent = {"persistent_address": host, "persistent_port": port}
        who = {"username": given[0], "password": given[1], "state": "LOGGED_IN"}
        self.sessions[number] = {"targetname": iqn, "tpgt": "1", "ifacename": iface, **place, **persistent, **who}
        return 0

    def _session(self, action: str, argv: list[str]) -> tuple[int, str]:
        del self.sessions["session" + self._value(argv, "-r")]
        return 0, ""

    def _iface(self, action: str, argv: list[str]) -> tuple[int, str]:
        name = self._value(argv, "-I")
        if action == "new":
            self.interfaces[name] = ""
        elif action == "delete":
            self.interfaces.pop(name, None)
        elif name not in self.interfaces:
            return 6, ""
        elif self._value(argv, "-n") == "iface.net_ifacename":
            self.interfaces[name] = self._value(argv, "-v")
        return 0, f"iface.net_ifacename = {self.interfaces.get(name) or '<empty>'}\n"

    def _discoverydb(self, action: str, argv: list[str]) -> tuple[int, str]:
        host, _, port = self._value(argv, "-p").rpartition(":")
        name = f"send_targets/{host},{port}/st_config"
        if action == "new":
            self.files[name] = "# BEGIN RECORD\n# END RECORD\n"
        elif action == "delete":
            del self.files[name]
        elif action == "--discover":
            return 0, f"{host}:{port},1 iqn.2012-01.x:a\n{host}:{port},2 iqn.2012-01.x:b\n"
        return 0, ""
