"""Folders that are watched: somebody drops, changes or removes a file and a function hears of it.

inotify on the reactor; nothing is polled. Changes that come in a burst (an editor's save, an unpacked archive) are one
call per folder, after the burst. A folder that is not there yet may be added: it is watched as soon as it appears, and
again when it was removed and made anew.
"""

from collections.abc import Callable, Iterable, Iterator
from logging import CRITICAL
from pathlib import Path
from typing import Any

import pyinotify
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from virgate.run.loop import reactor

QUIET = 0.2
"""Seconds without a further change that end a burst."""

pyinotify.log.setLevel(CRITICAL)
"""It complains on standard error of folders that moved away; here that is an ordinary event."""

GONE = pyinotify.IN_DELETE_SELF | pyinotify.IN_MOVE_SELF
APPEARING = pyinotify.IN_CREATE | pyinotify.IN_MOVED_TO | GONE | pyinotify.IN_ONLYDIR
CHANGING = APPEARING | pyinotify.IN_CLOSE_WRITE | pyinotify.IN_MOVED_FROM | pyinotify.IN_DELETE | pyinotify.IN_ATTRIB


@implementer(IReadDescriptor)
class FolderWatch:
    """Calls `changed(folder)` for every folder added, after something in it changed."""

    log = Logger()

    def __init__(self, changed: Callable[[Path], None], *, quiet: float = QUIET) -> None:
        self._changed = changed
        self._quiet = quiet
        self._manager = pyinotify.WatchManager()
        self._notifier = pyinotify.Notifier(self._manager, self._happened, timeout=0)
        self._wanted: dict[Path, bool] = {}
        self._there: dict[Path, bool] = {}
        self._watched: dict[Path, tuple[int, int]] = {}
        self._bursts: dict[Path, Any] = {}
        reactor.addReader(self)

    def add(self, folder: Path, *, below: bool = False) -> None:
        """Watches a folder, and with `below` the folders directly in it, too; the call names the one added."""
        self._wanted[folder] = below
        self._there[folder] = folder.is_dir()
        self._follow()

    def remove(self, folder: Path) -> None:
        self._wanted.pop(folder, None)
        self._there.pop(folder, None)
        if burst := self._bursts.pop(folder, None):
            burst.cancel()
        self._follow()

    def close(self) -> None:
        """Ends all watching; a burst under way is not told any more."""
        if self._notifier is None:
            return
        reactor.removeReader(self)
        for folder in tuple(self._wanted):
            self.remove(folder)
        self._notifier.stop()
        self._notifier = None

    def fileno(self) -> int:
        return int(self._manager.get_fd()) if self._notifier else -1

    def logPrefix(self) -> str:
        return "folders"

    def doRead(self) -> None:
        self._notifier.read_events()
        self._notifier.process_events()
        self._follow()

    def connectionLost(self, reason: object) -> None:
        """inotify has no other side that could hang up."""

    def _happened(self, event: Any) -> None:
        if event.mask & pyinotify.IN_Q_OVERFLOW:
            self._touch(self._wanted)
            return
        # By number: of a folder that moved away pyinotify changes the path.
        place = next((place for place, (number, _) in self._watched.items() if number == event.wd), Path(event.path))
        self._touch(
            folder for folder, below in self._wanted.items() if place == folder or (below and place.parent == folder)
        )
        if event.mask & (GONE | pyinotify.IN_IGNORED):
            self._let_go(place)

    def _touch(self, folders: Iterable[Path]) -> None:
        for folder in folders:
            if burst := self._bursts.get(folder):
                burst.reset(self._quiet)
            else:
                self._bursts[folder] = reactor.callLater(self._quiet, self._tell, folder)

    def _tell(self, folder: Path) -> None:
        del self._bursts[folder]
        try:
            self._changed(folder)
        except Exception:
            self.log.failure("nobody could make sense of the change in {folder}", folder=folder)

    def _follow(self) -> None:
        """Watches exactly what exists of the folders wanted; of a missing one, where it would appear."""
        while True:
            wanted: dict[Path, int] = {}
            for folder, below in self._wanted.items():
                for place, mask in _places(folder, below):
                    wanted[place] = wanted.get(place, 0) | mask
            for place in self._watched.keys() - wanted.keys():
                self._let_go(place)
            new = {place: mask for place, mask in wanted.items() if self._watched.get(place, (0, 0))[1] != mask}
            for place, mask in new.items():
                self._watched[place] = self._manager.add_watch(str(place), mask)[str(place)], mask
            if not new:  # else look again: it may have changed before it was watched
                break
        for folder in self._wanted:
            if self._there[folder] != folder.is_dir():
                self._there[folder] = not self._there[folder]
                self._touch([folder])

    def _let_go(self, place: Path) -> None:
        number, _ = self._watched.pop(place, (-1, 0))
        if number > 0 and self._manager.get_path(number):
            self._manager.rm_watch(number)


def _places(folder: Path, below: bool) -> Iterator[tuple[Path, int]]:
    if folder.is_dir():
        yield folder, CHANGING
        if below:
            yield from ((child, CHANGING) for child in folder.iterdir() if child.is_dir())
    else:
        yield next(parent for parent in folder.parents if parent.is_dir()), APPEARING
