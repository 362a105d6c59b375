"""Scripts of the guest's administrator at the host's events (spec guest-agent 6.8)."""

import os
import stat

from virgate_guest import log
from virgate_guest.errands import Errands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FOLDERS = ("/etc/virgate-guest/hooks.d", "/etc/ovirt-guest-agent/hooks.d")
MOST_WAITING = 16


class Hooks:
    """Runs the files of an event's folders one after the other, in the order of their names.

    A failure is told in the log and stops nothing. Events wait for each other.
    """

    def __init__(self, errands: Errands, limit: float, folders: "tuple[str, ...]" = FOLDERS) -> None:
        self._errands = errands
        self._limit = limit
        self._folders = folders
        self._waiting: list[Callable[[], None]] = []
        self._is_running = False

    def files(self, event: str) -> "list[str]":
        """Whatever lies in the event's folders, by name."""
        found = []
        for folder in self._folders:
            place = folder + "/" + event
            try:
                found += [(name, place + "/" + name) for name in os.listdir(place) if not name.startswith(".")]
            except OSError:
                continue
        return [path for _, path in sorted(found)]

    def run(self, event: str, done: "Callable[[], None]", given: bytes = b"", **environment: str) -> None:
        """`done` is called when all have run, also when there was none."""
        if len(self._waiting) >= MOST_WAITING:
            log.warning("too many events wait; {} is left out", event)
            done()
            return
        self._waiting.append(lambda: self._step(event, self.files(event), done, given, environment))
        if not self._is_running:
            self._next()

    def _next(self) -> None:
        self._is_running = bool(self._waiting)
        if self._waiting:
            self._waiting.pop(0)()

    def _step(
        self, event: str, left: "list[str]", done: "Callable[[], None]", given: bytes, more: "dict[str, str]"
    ) -> None:
        while left and not _may_run(left[0]):
            del left[0]
        if not left:
            done()
            self._next()
            return
        path = left.pop(0)

        def ended(code: "int | None", output: bytes) -> None:
            if code is None:
                log.warning("hook {} did not end in {} s and was killed", path, self._limit)
            elif code:
                log.warning("hook {} failed with {}", path, code)
            self._step(event, left, done, given, more)

        self._errands.run([path], ended, self._limit, given, VIRGATE_GUEST_EVENT=event, **more)


def _may_run(path: str) -> bool:
    """An executable file that not everybody may have written."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        mode = 0
    if not stat.S_ISREG(mode) or not mode & 0o111 or mode & 0o002:
        log.warning("hook {} is not run: it must be an executable file that only its owner may write", path)
        return False
    return True
