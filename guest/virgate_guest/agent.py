"""What is said when, and what commands do (spec guest-agent 2, 3.3, 5)."""

from virgate_guest import log, orders, wire
from virgate_guest.negotiation import Negotiation
from virgate_guest.settings import Settings
from virgate_guest.sources.system import switch_on
from virgate_guest.timetable import Timetable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from virgate_guest.desktop import Desktop
    from virgate_guest.hooks import Hooks
    from virgate_guest.loop import Loop, Timer
    from virgate_guest.port import Port
    from virgate_guest.power import Power
    from virgate_guest.reports import Reports

START = (
    "session-startup",
    "host-name",
    "os-version",
    "network-interfaces",
    "active-user",
    "applications",
    "containers",
    "fqdn",
    "timezone",
    "os-info",
)
REFRESH = (
    "session-startup",
    "active-user",
    "applications",
    "containers",
    "host-name",
    "os-version",
    "network-interfaces",
    "disks-usage",
    "fqdn",
    "timezone",
    "os-info",
)
GROUP = ("applications", "containers", "host-name", "os-version", "network-interfaces", "fqdn")
WITHOUT_NEWS = ("os-info", "timezone")
"""Sent with the group of the applications, but only when they changed."""
TOGETHER = {"host-name": ("host-name", "fqdn"), "network-interfaces": ("network-interfaces", "fqdn")}


class Agent:
    """Between one port and everything that is known and can be done."""

    def __init__(
        self,
        loop: "Loop",
        port: "Port",
        reports: "Reports",
        settings: Settings,
        power: "Power",
        desktop: "Desktop",
        hooks: "Hooks",
    ) -> None:
        self._loop = loop
        self._port = port
        self._reports = reports
        self._hooks = hooks
        self._desktop = desktop
        self.negotiation = Negotiation()
        self._last: dict[str, dict[str, object]] = {}
        self._has_started = False
        self._timer: Timer | None = None
        self._timetable = Timetable(
            [
                ("heartbeat", settings.heart_beat_rate),
                ("user", settings.report_user_rate),
                ("applications", settings.report_application_rate),
                ("disks", settings.report_disk_usage),
                ("processors", settings.report_num_cpu_rate),
            ]
        )
        self._turns: dict[str, Callable[[], None]] = {
            "heartbeat": self._heartbeat,
            "user": self._user,
            "applications": lambda: self._reports.ask(self._group),
            "disks": lambda: self.tell("disks-usage"),
            "processors": lambda: self.tell("number-of-cpus"),
        }
        self._commands: dict[str, Callable[[dict[str, object]], None]] = {
            "refresh": self._refresh,
            "api-version": self._api_version,
            "echo": lambda arguments: self.send("echo", arguments),
            "lock-screen": lambda arguments: desktop.lock(),
            "log-off": lambda arguments: desktop.log_off(),
            "login": desktop.log_in,
            "shutdown": power.shutdown,
            "hibernate": power.sleep,
            "set-number-of-cpus": self._processors,
            "lifecycle-event": self._event,
        }
        desktop.tell = lambda message: self.send(message, {})
        port.connected, port.lost, port.line = self._connected, self._lost, self.command

    # -- saying

    def send(self, message: str, arguments: "dict[str, object]") -> None:
        """Unless the host would not know the message."""
        if not self.negotiation.allows(message):
            return
        try:
            self._port.send(wire.encode(message, arguments))
        except (ValueError, RecursionError) as failure:
            log.debug("{} cannot be said: {}", message, type(failure).__name__)

    def tell(self, message: str, only_news: bool = False) -> None:
        """Sends a report as things are now."""
        arguments = self._reports.of(message)
        if only_news and self._last.get(message) == arguments:
            return
        if self.negotiation.allows(message):
            self._last[message] = arguments
        self.send(message, arguments)

    def changed(self, message: str) -> None:
        """Something is not any more as it was told."""
        for one in TOGETHER.get(message, (message,)):
            self.tell(one, only_news=True)

    def farewell(self) -> None:
        self.send("session-shutdown", {})

    # -- the host comes and goes

    def _connected(self) -> None:
        log.info("a host listens")
        if not self._has_started:
            self._has_started = True
            for message in START:
                self.tell(message)
        self._timetable.start(self._loop.now())
        self._wait()

    def _lost(self) -> None:
        """Nobody listens: nothing is due."""
        log.info("the host is away")
        self._timetable.stop()
        if self._timer is not None:
            self._timer.cancel()

    # -- time passes

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self._timetable.next()
        if due is not None:
            self._timer = self._loop.after(due - self._loop.now(), self._turn)

    def _turn(self) -> None:
        try:
            for name in self._timetable.due(self._loop.now()):
                try:
                    self._turns[name]()
                except Exception as failure:
                    log.error("the report of {}: {}: {}", name, type(failure).__name__, failure)
        finally:
            self._wait()

    def _heartbeat(self) -> None:
        arguments = self._reports.heartbeat(self._loop.now())
        arguments["apiVersion"] = self.negotiation.offer()
        self.send("heartbeat", arguments)

    def _user(self) -> None:
        self._desktop.seen(self._reports.users.names())
        self.tell("active-user", only_news=True)

    def _group(self) -> None:
        for message in GROUP:
            self.tell(message)
        for message in WITHOUT_NEWS:
            self.tell(message, only_news=True)

    # -- commands

    def command(self, line: bytes) -> None:
        """One line of the host. What it said is not logged: it may be a password."""
        try:
            name, arguments = wire.decode(line)
        except wire.Malformed as problem:
            log.debug("a line of the host is ignored: {}", problem)
            return
        act = self._commands.get(name)
        if act is None:
            log.warning("the host wants {}, which is not known here", name[:64])
            return
        try:
            act(arguments)
        except orders.Refused as refused:
            log.warning("{}", refused)
        except Exception as failure:
            log.error("{} failed: {}: {}", name, type(failure).__name__, failure)

    def _refresh(self, arguments: "dict[str, object]") -> None:
        self.negotiation.refreshed(arguments)
        self._everything()

    def _api_version(self, arguments: "dict[str, object]") -> None:
        if self.negotiation.agree(arguments.get("apiVersion")):
            self._everything()

    def _everything(self) -> None:
        for message in REFRESH:
            self.tell(message)

    def _processors(self, arguments: "dict[str, object]") -> None:
        switch_on(orders.processors(arguments))
        self.tell("number-of-cpus")

    def _event(self, arguments: "dict[str, object]") -> None:
        """Every event is answered that wants to be, whatever became of its hooks."""
        event, reply = orders.event(arguments), orders.reply_id(arguments)

        def done() -> None:
            if reply is not None:
                self.send("completion", {"reply_id": reply, "done": True})

        if event is None:
            done()
        elif arguments.get("failure") is True:
            self._hooks.run(event, done, VIRGATE_GUEST_FAILURE="1")
        else:
            self._hooks.run(event, done)
