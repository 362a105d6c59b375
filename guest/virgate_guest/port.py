"""The device whose other end is the host's socket: a virtio-serial port, or a serial line (spec guest-agent 1.1, 1.7).

A port whose host is away reports POLLHUP at every poll for as long as that lasts: it is taken out of the poll then,
and the kernel's SIGIO tells that the host came back, with a slow look now and then in case it did not.
"""

import collections
import errno
import fcntl
import os
import select
import signal
import stat

from virgate_guest import log
from virgate_guest.loop import Loop, Timer
from virgate_guest.sources import content
from virgate_guest.wire import Lines, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("com.redhat.rhevm.vdsm", "ovirt-guest-agent.0")
"""Ports by their names; where a machine has both, hosts listen on the first."""

DEVICES = "/sys/class/virtio-ports"
READ = 65536
BACKLOG = 1 << 20
"""Bytes that wait for a host that does not read; beyond it, news is dropped. A refresh tells everything again."""
LOOK = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0


def choose(prefix: str, devices: str = DEVICES) -> "str | None":
    """The port to speak on. udev makes links of their names; a small system without it has the names all the same."""
    for name in NAMES:
        if os.path.exists(prefix + name):
            return prefix + name
    named = {text(content(f"{devices}/{device}/name")).strip(): device for device in _listed(devices)}
    return next(("/dev/" + named[name] for name in NAMES if name in named), None)


def _listed(folder: str) -> "list[str]":
    try:
        return os.listdir(folder)
    except OSError:
        return []


class Port:
    """Opens, loses and opens again. `connected` and `lost` are called at each change, `line` for each line."""

    def __init__(self, loop: Loop, path: "Callable[[], str | None]") -> None:
        self._loop = loop
        self._path = path
        self._descriptor = -1
        self._opened = ""
        self._waiting: collections.deque[bytes] = collections.deque()
        self._size = 0
        self._cut = False
        self._pause = FIRST_PAUSE
        self._later: Timer | None = None
        self._lines = Lines()
        self._complained = False
        self.is_connected = False
        self.connected: Callable[[], None] = _nothing
        self.lost: Callable[[], None] = _nothing
        self.line: Callable[[bytes], None] = _ignore
        loop.on_signal(signal.SIGIO, self._look)

    # -- open and close

    def open(self) -> None:
        """Opens the device now, or as soon as there is one."""
        self._later = None
        path = self._path()
        try:
            if path is None:
                raise FileNotFoundError(errno.ENOENT, "no port of a host is there")
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as problem:
            self._again(f"cannot be opened: {problem}")
            return
        log.info("speaks on {}", path)
        self._descriptor, self._opened, self._complained = descriptor, path, False
        if stat.S_ISCHR(os.fstat(descriptor).st_mode) and os.isatty(descriptor):
            _raw(descriptor)
        self._look()

    def close(self) -> None:
        """The descriptor leaves the poll before it is closed: its number may be given away at once."""
        self._cancel()
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        self._loop.unwatch(descriptor)
        os.close(descriptor)
        self._away()

    def _broken(self, problem: OSError) -> None:
        self.close()
        self._again(f"broke: {problem}")

    def _again(self, problem: str) -> None:
        """Each pause is twice the last, until something was read."""
        if not self._complained:
            log.warning("the port {}; trying again", problem)
        self._complained = True
        self._cancel()
        self._later = self._loop.after(self._pause, self.open)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _cancel(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None

    # -- is the host there?

    def _look(self) -> None:
        """Takes notice of whether a host listens."""
        if self._descriptor < 0:
            return
        if not self._is_same():
            self._broken(OSError(errno.ENODEV, "another device has its name"))
            return
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        seen = poll.poll(0)
        if seen and seen[0][1] & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
            self._sleep()
        elif not self.is_connected:
            self._wake()

    def _is_same(self) -> bool:
        """A port that was unplugged looks like one whose host is away, for ever."""
        try:
            there, ours = os.stat(self._opened), os.fstat(self._descriptor)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def _sleep(self) -> None:
        """Nobody listens: no poll, SIGIO instead."""
        self._loop.unwatch(self._descriptor)
        self._tell_by_signal(True)
        self._away()
        self._cancel()
        self._later = self._loop.after(LOOK, self._look)

    def _wake(self) -> None:
        self._cancel()
        self._tell_by_signal(False)
        self.is_connected, self._pause = True, FIRST_PAUSE
        if self._cut:
            self._cut = False
            self._queue(b"\n")  # ends the piece of a line that the last host did not get whole
        self._loop.watch(self._descriptor, select.POLLIN, self._ready)
        self.connected()

    def _away(self) -> None:
        was, self.is_connected = self.is_connected, False
        self._waiting.clear()
        self._size = 0
        self._lines.forget()
        if was:
            self.lost()

    def _tell_by_signal(self, wanted: bool) -> None:
        try:
            flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
            if wanted:
                fcntl.fcntl(self._descriptor, fcntl.F_SETOWN, os.getpid())
            flags = flags | os.O_ASYNC if wanted else flags & ~os.O_ASYNC
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags)
        except OSError:
            return  # then the slow look finds it

    # -- reading and writing

    def _ready(self, events: int) -> None:
        if events & select.POLLOUT:
            self._flush()
        if events & ~select.POLLOUT and self._descriptor >= 0:
            self._read(events)

    def _read(self, events: int) -> None:
        try:
            data = os.read(self._descriptor, READ)
        except BlockingIOError:
            if not events & (select.POLLHUP | select.POLLERR):
                return
            data = b""
        except OSError as problem:
            self._broken(problem)
            return
        if not data:
            self._sleep()
            return
        for line in self._lines.feed(data):
            if self.is_connected:
                self.line(line)

    def send(self, line: bytes) -> None:
        """Queues a whole line. Without a host it is dropped."""
        if not self.is_connected:
            return
        if self._size + len(line) > BACKLOG:
            log.debug("the host does not read; a message is dropped")
            return
        self._queue(line)
        self._flush()

    def _queue(self, line: bytes) -> None:
        self._waiting.append(line)
        self._size += len(line)

    def _flush(self) -> None:
        while self._waiting and self._descriptor >= 0:
            line = self._waiting[0]
            try:
                written = os.write(self._descriptor, line)
            except BlockingIOError:
                break
            except OSError as problem:
                self._broken(problem)
                return
            self._size -= written
            self._cut = written < len(line)
            if self._cut:
                self._waiting[0] = line[written:]
            else:
                self._waiting.popleft()
        if self.is_connected:
            wanted = select.POLLIN | select.POLLOUT if self._waiting else select.POLLIN
            self._loop.watch(self._descriptor, wanted, self._ready)

    def drain(self, seconds: float) -> None:
        """Gives the last words a moment to leave; for the end of the process."""
        end = self._loop.now() + seconds
        while self._waiting and self._loop.now() < end and self._descriptor >= 0:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLOUT)
            poll.poll(100)
            self._flush()


def _raw(descriptor: int) -> None:
    """A serial line as a plain channel: no echo, nothing translated."""
    import termios

    mode = termios.tcgetattr(descriptor)
    mode[0] = mode[1] = mode[3] = 0
    mode[2] = (mode[2] & ~(termios.CSIZE | termios.PARENB)) | termios.CS8 | termios.CREAD | termios.CLOCAL
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
    termios.tcsetattr(descriptor, termios.TCSANOW, mode)


def _nothing() -> None:
    pass


def _ignore(line: bytes) -> None:
    pass
