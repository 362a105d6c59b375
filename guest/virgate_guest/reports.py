"""Each message's contents (spec guest-agent 3.1), from everything the agent knows."""

from virgate_guest.errands import Errands
from virgate_guest.settings import Settings
from virgate_guest.sources import Kept, disks, network, system
from virgate_guest.sources.applications import Applications
from virgate_guest.sources.containers import Containers
from virgate_guest.sources.disks import Disks
from virgate_guest.sources.memory import Memory
from virgate_guest.sources.users import Users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Reports:
    """`of(message)` answers the arguments of a message as things are now."""

    def __init__(self, errands: Errands, settings: Settings) -> None:
        self._settings = settings
        self._memory = Memory()
        self._name = system.Name(errands)
        self._applications = Applications(errands, settings.applications_list)
        self._containers = Containers(errands)
        self._os_info = Kept(system.RELEASE, system.read_os_info)
        self._timezone = Kept(system.ZONE, system.read_timezone)
        self.users = Users()
        self.disks = Disks(errands, settings.ignored_fs, settings.ignore_zero_size_fs)
        self.changed: Callable[[str], None] = _ignore

    def of(self, message: str) -> "dict[str, object]":
        if message == "network-interfaces":
            return {"interfaces": network.interfaces(self._settings.ignored_nics)}
        if message == "disks-usage":
            usage = self.disks.read(lambda: self.changed("disks-usage"))
            return {"disks": usage, "mapping": disks.serials()}
        if message == "applications":
            return {"applications": self._applications.get()}
        if message == "containers":
            return {"list": self._containers.get()}
        if message == "active-user":
            return {"name": self.users.first()}
        if message == "number-of-cpus":
            return {"count": system.processors()}
        return self._of_system(message)

    def _of_system(self, message: str) -> "dict[str, object]":
        if message == "host-name":
            return {"name": self._name.get()}
        if message == "fqdn":
            return {"fqdn": self._name.get()}
        if message == "os-version":
            return {"version": system.kernel()}
        if message in ("os-info", "timezone"):
            found = (self._os_info if message == "os-info" else self._timezone).get()
            return dict(found) if isinstance(found, dict) else {}
        return {}

    def heartbeat(self, now: float) -> "dict[str, object]":
        free, told = self._memory.sample(now)
        return {"free-ram": free, "memory-stat": told}

    def ask(self, done: "Callable[[], None]") -> None:
        """Brings up to date what takes time to find out; then calls `done`, once."""
        askers = [self._name.ask, self._applications.ask]
        if self._settings.containers:
            askers.append(self._containers.ask)
        left = [len(askers)]

        def one_is_done() -> None:
            left[0] -= 1
            if not left[0]:
                done()

        for ask in askers:
            ask(one_is_done)


def _ignore(message: str) -> None:
    pass
