"""Children: programs with fixed arguments, and questions that may hang (a dead file server, a name server).

A question runs in a copy of this process, so that what it imports and whatever it hangs in stays outside.
"""

import os
import select
import signal

from virgate_guest import log
from virgate_guest.loop import Loop, Timer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Done = Callable[["int | None", bytes], None]

FOLDERS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
ENVIRONMENT = {"PATH": ":".join(FOLDERS), "LC_ALL": "C.UTF-8", "HOME": "/"}
OUTPUT = 4 << 20


def program(name: str) -> "str | None":
    """The path of a program of the system; what the environment says does not count."""
    for folder in FOLDERS:
        path = folder + "/" + name
        if os.access(path, os.X_OK):
            return path
    return None


class Errand:
    """One child. `done` gets its exit status, None when it was given up, and what it wrote."""

    __slots__ = ("done", "output", "pid", "pipe", "timer")

    def __init__(self, pid: int, pipe: int, done: "Done") -> None:
        self.pid = pid
        self.pipe = pipe
        self.done = done
        self.output: list[bytes] = []
        self.timer: Timer | None = None


class Errands:
    """Starts children and tells when they have ended."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._running: dict[int, Errand] = {}
        self._given_up: set[int] = set()
        loop.on_signal(signal.SIGCHLD, self._reap)

    def run(self, argv: "list[str]", done: "Done", limit: float, given: bytes = b"", **more: str) -> None:
        """Runs a program; `more` goes into its environment. `given`, its input, must fit into a pipe (4 KiB)."""

        def become() -> None:
            environment = dict(ENVIRONMENT)
            environment.update(more)
            os.execve(argv[0], argv, environment)  # noqa: S606

        self._start(become, done, limit, given)

    def ask(self, question: "Callable[[], bytes]", done: "Done", limit: float) -> None:
        """Calls a function in a copy of this process."""

        def answer() -> None:
            said = question()
            while said:
                said = said[os.write(1, said) :]
            os._exit(0)

        self._start(answer, done, limit, b"")

    def busy(self) -> bool:
        return bool(self._running)

    def _start(self, act: "Callable[[], None]", done: "Done", limit: float, given: bytes) -> None:
        ours, theirs = os.pipe()
        source = _source(given)
        pid = os.fork()
        if pid == 0:
            _child(act, source, theirs)
        os.close(theirs)
        os.close(source)
        os.set_blocking(ours, False)
        errand = Errand(pid, ours, done)
        self._running[pid] = errand
        self._loop.watch(ours, select.POLLIN, lambda events: self._read(errand))
        errand.timer = self._loop.after(limit, lambda: self._give_up(errand))

    def _read(self, errand: Errand) -> None:
        try:
            data = os.read(errand.pipe, 65536)
        except BlockingIOError:
            return
        if data and sum(map(len, errand.output)) < OUTPUT:
            errand.output.append(data)
        elif not data:
            self._loop.unwatch(errand.pipe)

    def _reap(self) -> None:
        for pid in list(self._running) + list(self._given_up):
            try:
                found, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                found, status = pid, 0
            if not found:
                continue
            self._given_up.discard(pid)
            errand = self._running.get(pid)
            if errand is not None:
                self._drain(errand)
                code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
                self._finish(errand, code)

    def _drain(self, errand: Errand) -> None:
        """What is still in the pipe; a child of the child may hold its other end."""
        while True:
            try:
                data = os.read(errand.pipe, 65536)
            except BlockingIOError:
                return
            if not data:
                return
            errand.output.append(data)

    def _give_up(self, errand: Errand) -> None:
        """Kills the child's whole group. One that hangs in the kernel dies when it may; nobody waits for it."""
        try:
            os.killpg(errand.pid, signal.SIGKILL)
        except OSError:
            pass
        self._given_up.add(errand.pid)
        self._finish(errand, None)

    def _finish(self, errand: Errand, code: "int | None") -> None:
        del self._running[errand.pid]
        self._loop.unwatch(errand.pipe)
        os.close(errand.pipe)
        if errand.timer is not None:
            errand.timer.cancel()
        try:
            errand.done(code, b"".join(errand.output))
        except Exception as failure:
            log.error("after a child: {}: {}", type(failure).__name__, failure)


def _source(given: bytes) -> int:
    """The child's input: a pipe that holds all of it already, or nothing."""
    if not given:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    end, begin = os.pipe()
    os.write(begin, given)
    os.close(begin)
    return end


def _child(act: "Callable[[], None]", source: int, target: int) -> None:
    """In the child: a session of its own, nothing of the parent's but the standard error."""
    code = 127
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGIO, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(source, 0)
        os.dup2(target, 1)
        act()
    except BaseException as failure:
        log.error("a child: {}: {}", type(failure).__name__, failure)
    finally:
        os._exit(code)
