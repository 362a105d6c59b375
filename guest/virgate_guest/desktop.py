"""Sessions of people: locking and ending them, and telling hosts when that happened (spec guest-agent 6.5, 6.7).

logind does it, through its program `loginctl`. Where it is not there, or is not the one to ask, an administrator puts
scripts into the hook folders `lock_screen`, `log_off` and `login`; they are run instead.
"""

from virgate_guest import log, orders
from virgate_guest.errands import Errands, program
from virgate_guest.hooks import Hooks
from virgate_guest.loop import Loop
from virgate_guest.sources.users import Users
from virgate_guest.wire import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 10.0
FIRST_LOOKS = (0.5, 1.0, 2.0, 4.0)
"""Seconds between looks whether the screen is locked now; a screen saver takes its time."""
LATER_LOOKS = 15.0


def are_locked(properties: bytes) -> bool:
    """Whether all sessions are, by logind's answer."""
    hints = [line for line in text(properties).splitlines() if line.startswith("LockedHint=")]
    return bool(hints) and all(hint == "LockedHint=yes" for hint in hints)


def active(sessions: "list[dict[str, str]]") -> "str | None":
    """The session at the screen; else the one that is active."""
    found = [one for one in sessions if one.get("ACTIVE") == "1" and one["ID"].isalnum()]
    found.sort(key=lambda one: (one.get("SEAT") != "seat0", one["ID"]))
    return found[0]["ID"] if found else None


class Desktop:
    """`tell`, set by the agent, sends a message of that name to the host."""

    def __init__(self, loop: Loop, errands: Errands, users: Users, hooks: Hooks) -> None:
        self._loop = loop
        self._errands = errands
        self._users = users
        self._hooks = hooks
        self.tell: Callable[[str], None] = _ignore
        self._is_locked = False
        self._looks: list[float] = []
        self._is_looking = False
        self._were_there: bool | None = None

    def seen(self, names: "list[str]") -> None:
        """Who is logged in now. What was so from the start is no news."""
        before, self._were_there = self._were_there, bool(names)
        if before is None or before == self._were_there:
            return
        self._is_locked = False
        self.tell("session-logon" if names else "session-logoff")

    def lock(self) -> None:
        """Hosts wait for the answer before they put a guest to sleep: with nobody there, it comes at once."""
        if not self._users.names():
            self.tell("session-logoff")
            return
        if self._hooks.files("lock_screen"):
            self._hooks.run("lock_screen", self._locking)
        else:
            self._loginctl(["lock-sessions"], self._locking)

    def log_off(self) -> None:
        session = active(self._users.sessions())
        if self._hooks.files("log_off"):
            self._hooks.run("log_off", _nothing, VIRGATE_GUEST_SESSION=session or "")
        elif session is not None:
            self._loginctl(["terminate-session", session], _nothing)

    def log_in(self, arguments: "dict[str, object]") -> None:
        """The scripts get the name and the password through their input, in one block. Raises orders.Refused."""
        block = orders.credentials(arguments)
        if not self._hooks.files("login"):
            log.warning("a login is refused: there is no script in the hook folder login")
            return
        self._hooks.run("login", _nothing, block)

    def _loginctl(self, arguments: "list[str]", then: "Callable[[], None]") -> None:
        path = program("loginctl")
        if path is None:
            log.warning("{}: neither loginctl nor a hook is there", arguments[0])
            return
        self._errands.run([path, *arguments], lambda code, output: then(), PATIENCE)

    # -- is it locked?

    def _locking(self) -> None:
        self._looks = list(FIRST_LOOKS)
        if not self._is_looking:
            self._is_looking = True
            self._look_later()

    def _look_later(self) -> None:
        if self._looks:
            self._loop.after(self._looks.pop(0), self._look)
        elif self._is_locked:
            self._loop.after(LATER_LOOKS, self._look)
        else:
            self._is_looking = False

    def _look(self) -> None:
        graphical = [one["ID"] for one in self._users.sessions() if one.get("TYPE") in ("x11", "wayland", "mir")]
        path = program("loginctl")
        if not graphical or path is None:
            self._is_locked = self._is_looking = False
            return
        argv = [path, "show-session", "--property=LockedHint", *[one for one in graphical if one.isalnum()]]
        self._errands.run(argv, lambda code, output: self._know(are_locked(output)), PATIENCE)

    def _know(self, is_locked: bool) -> None:
        if is_locked != self._is_locked:
            self._is_locked = is_locked
            self.tell("session-lock" if is_locked else "session-unlock")
        if is_locked:
            self._looks = []
        self._look_later()


def _nothing() -> None:
    pass


def _ignore(message: str) -> None:
    pass
