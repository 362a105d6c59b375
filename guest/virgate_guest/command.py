"""The program: reads its arguments, puts the parts together, runs until it is told to end."""

import os
import signal
import sys

from virgate_guest import __version__, log, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virgate_guest.loop import Loop
    from virgate_guest.port import Port
    from virgate_guest.reports import Reports

USAGE = """usage: virgate-guest [-c FILE] [-p FILE] [-d] [-v] | --uninstalled | --version

The guest agent. It speaks on the virtio-serial port of the host.
  -c, --config FILE    reads this file instead of /etc/ovirt-guest-agent.conf and /etc/virgate-guest.conf
  -p, --pidfile FILE   writes its process id there
  -d                   goes into the background
  -v, --verbose        says more on the standard error
  --uninstalled        tells the host that the agent is being removed, and ends
"""
LAST_WORDS = 0.5
FIRST_ANSWERS = 3.0


class Wrong(Exception):
    """Arguments that are not understood."""


def parse(arguments: "list[str]") -> "dict[str, str]":
    """The given options, under their long names. Raises Wrong."""
    long = {"-c": "config", "--config": "config", "-p": "pidfile", "--pidfile": "pidfile", "-d": "daemon"}
    long.update({"-v": "verbose", "--verbose": "verbose", "--uninstalled": "uninstalled", "--version": "version"})
    found = {}
    left = list(arguments)
    while left:
        name, mark, value = left.pop(0).partition("=")
        option = long.get(name)
        if option is None or (mark and option not in ("config", "pidfile")):
            raise Wrong(name)
        if option in ("config", "pidfile") and not mark:
            if not left:
                raise Wrong(name)
            value = left.pop(0)
        found[option] = value
    return found


def main(arguments: "list[str] | None" = None) -> int:
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
    except Wrong:
        sys.stderr.write(USAGE)
        return 2
    if "version" in options:
        sys.stdout.write(f"virgate-guest {__version__}\n")
        return 0
    if "uninstalled" in options:
        return _say_uninstalled()
    return _serve(options)


def _say_uninstalled() -> int:
    """Straight into each port, whoever has it open; a host that does not listen does not matter."""
    from virgate_guest.port import NAMES

    for name in NAMES:
        try:
            port = os.open("/dev/virtio-ports/" + name, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            os.write(port, wire.encode("uninstalled", {}) + b"\n")
        except OSError:
            pass
        finally:
            os.close(port)
    return 0


def _serve(options: "dict[str, str]") -> int:
    from virgate_guest import settings as configuration
    from virgate_guest.agent import Agent
    from virgate_guest.desktop import Desktop
    from virgate_guest.errands import Errands
    from virgate_guest.hooks import Hooks
    from virgate_guest.loop import Loop
    from virgate_guest.port import Port, choose
    from virgate_guest.power import Power
    from virgate_guest.reports import Reports
    from virgate_guest.watches import Watches

    settings = configuration.load((options["config"],) if "config" in options else configuration.FILES)
    if settings.verbose or "verbose" in options:
        log.LEVEL["now"] = log.DEBUG
    if "daemon" in options:
        _go_into_background()
    if "pidfile" in options:
        with open(options["pidfile"], "w") as file:
            file.write(f"{os.getpid()}\n")
    os.umask(0o022)
    loop = Loop()
    errands = Errands(loop)
    reports = Reports(errands, settings)
    hooks = Hooks(errands, settings.hook_timeout)
    port = Port(loop, lambda: settings.device or choose(settings.device_prefix))
    desktop = Desktop(loop, errands, reports.users, hooks)
    agent = Agent(loop, port, reports, settings, Power(loop, errands), desktop, hooks)
    desktop.seen(reports.users.names())
    reports.changed = agent.changed
    Watches(loop, agent.changed).start()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.on_signal(number, loop.end)
    _begin(loop, reports, port)
    loop.run()
    agent.farewell()
    port.drain(LAST_WORDS)
    port.close()
    return 0


def _begin(loop: "Loop", reports: "Reports", port: "Port") -> None:
    """Opens the port when all is known that is worth waiting for, or after some seconds."""
    opened: list[bool] = []

    def begin() -> None:
        if not opened:
            opened.append(True)
            port.open()

    loop.after(FIRST_ANSWERS, begin)
    reports.ask(begin)


def _go_into_background() -> None:
    """As daemons do: the caller's process ends, nothing of its terminal stays."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
