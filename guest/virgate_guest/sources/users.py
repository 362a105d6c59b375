"""Who is logged in: utmp, or where there is none, logind's sessions (spec guest-agent 6.4)."""

import os
import struct

from virgate_guest.sources import Kept, content
from virgate_guest.wire import text

UTMP = ("/run/utmp", "/var/run/utmp")
SESSIONS = "/run/systemd/sessions"
USER_PROCESS = 7
NOBODY = "None"
HEAD = struct.Struct("=hxxi32s4s32s")


def record_size(machine: str) -> int:
    """Of utmp: some 64-bit systems kept 32-bit times in it, newer ones did not."""
    return 400 if machine in ("aarch64", "riscv64", "loongarch64") else 384


def of_utmp(records: bytes, size: int) -> "list[tuple[int, str]]":
    """Process and name of each login."""
    found = []
    for place in range(0, len(records) - size + 1, size):
        kind, pid, _, _, name = HEAD.unpack_from(records, place)
        if kind == USER_PROCESS and name.rstrip(b"\0"):
            found.append((pid, text(name.split(b"\0")[0])))
    return found


def of_session(description: bytes) -> "dict[str, str]":
    """logind's file about one session."""
    found = {}
    for line in description.splitlines():
        name, mark, value = line.partition(b"=")
        if mark and not line.startswith(b"#"):
            found[text(name)] = text(value).strip('"')
    return found


class Users:
    """Read again only when a login or a logout changed the files."""

    def __init__(self, utmp: "tuple[str, ...]" = UTMP, sessions: str = SESSIONS) -> None:
        self._utmp = utmp
        self._folder = sessions
        self._kept = Kept((*utmp, sessions), self._find)

    def names(self) -> "list[str]":
        """In order; each once."""
        found = self._kept.get()
        return found if isinstance(found, list) else []

    def first(self) -> str:
        """The one name that hosts are told."""
        names = self.names()
        return names[0] if names else NOBODY

    def sessions(self) -> "list[dict[str, str]]":
        """logind's sessions of people, each with its id as `ID`."""
        try:
            files = sorted(name for name in os.listdir(self._folder) if not name.endswith(".ref"))
        except OSError:
            return []
        found = []
        for name in files:
            session = of_session(content(self._folder + "/" + name))
            if session.get("CLASS", "user") == "user" and session.get("USER") and session.get("STATE") != "closing":
                session["ID"] = name
                found.append(session)
        return found

    def _find(self) -> "list[str]":
        for path in self._utmp:
            records = content(path)
            if records:
                size = record_size(os.uname().machine)
                living = [name for pid, name in of_utmp(records, size) if os.path.exists(f"/proc/{pid}")]
                return sorted(set(living))
        return sorted({session["USER"] for session in self.sessions()})
