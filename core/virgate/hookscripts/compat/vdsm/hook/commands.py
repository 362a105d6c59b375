# mypy: ignore-errors
# ruff: noqa
"""What `hooking.execCmd` is made of."""

import errno
import logging
import os
import signal
import subprocess
import sys
import threading
import time

PR_SET_PDEATHSIG = 1


def prefixed(command, sudo, nice, ioclass, ioclassdata, setsid):
    """The command behind the programs that change how it runs."""
    if ioclass is not None:
        level = [] if ioclassdata is None else ["-n", str(ioclassdata)]
        command = ["ionice", "-c", str(ioclass)] + level + command
    if nice is not None:
        command = ["nice", "-n", str(nice)] + command
    if setsid:
        command = ["setsid"] + command
    if sudo and os.geteuid() != 0:
        command = ["sudo", "-n"] + command
    return command


def tell(logger, command, cwd):
    (logger or logging.root).debug("%s (cwd %s)", command, cwd)


def start(command, cwd, env, setup):
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=cwd, env=env, stdin=pipe, stdout=pipe, stderr=pipe, close_fds=True, preexec_fn=setup
    )


def not_run(problem, command):
    """What a shell would answer for a command that cannot be executed."""
    said = "failed to execute %s: %s\n" % (command[0], problem.strerror)
    return (127 if problem.errno == errno.ENOENT else 126), b"", said.encode("utf-8")


def child_setup(death_signal, umask):
    """What the child does before it becomes the command, or None."""
    if not death_signal and umask is None:
        return None

    def setup():
        if umask is not None:
            os.umask(umask)
        if death_signal:
            import ctypes

            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)

    return setup


class Running(object):
    """A process that runs on while the script does other things; `stdin`, `stdout` and `stderr` are its pipes."""

    def __init__(self, process, data):
        self._process = process
        self.pid = process.pid
        self.stdin, self.stdout, self.stderr = process.stdin, process.stdout, process.stderr
        self.blocking = True
        if data is not None:
            feeder = threading.Thread(target=self._feed, args=(data,))
            feeder.daemon = True
            feeder.start()

    def _feed(self, data):
        try:
            self.stdin.write(data)
            self.stdin.close()
        except (IOError, OSError, ValueError):
            return  # the command did not want it

    @property
    def returncode(self):
        return self._process.poll()

    def wait(self, timeout=None, cond=None):
        """Waits for the end, for `timeout` seconds at most or until `cond()`; whether the process has ended."""
        until = None if timeout is None else time.time() + timeout
        while self._process.poll() is None:
            if (until is not None and time.time() >= until) or (cond is not None and cond()):
                return False
            time.sleep(0.02)
        return True

    def kill(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
        except OSError:
            return  # it has ended

    def communicate(self, data=None):
        """Waits for the end; what it wrote, as (out, err)."""
        return self._process.communicate(data)
