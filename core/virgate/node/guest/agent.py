"""One guest as its agents tell it, and what it can be asked (spec guest-agent 2, 4.5, 4.7, 5)."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import Logger

from virgate.node.guest import mapping, members
from virgate.node.guest.errors import BadMessage, NotSupported
from virgate.node.guest.messages import Message, encode, parse
from virgate.node.guest.negotiation import NEEDED, OURS, negotiate
from virgate.node.guest.qemu.state import QemuAgent
from virgate.node.guest.report import Report
from virgate.node.vm.life import Status

RESPONSIVE = 120.0
"""Seconds after its last word that an agent counts as there."""
UNSEEN_SESSION = 3.0
"""Seconds to wait for a lock to be reported by an agent that never said anything of sessions: most cannot."""
LOCKED = ("Locked", "LoggedOff")


class GuestAgent:
    """`deliver` is set while the channel is connected; `moved` hears that `status` changed."""

    log = Logger()

    def __init__(
        self,
        vm: str,
        *,
        reactor: Any,
        monotonic: Callable[[], float],
        wall: Callable[[], float],
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        self.vm = vm
        self._reactor, self._monotonic, self._wall, self._moved = reactor, monotonic, wall, moved
        self.report = Report()
        self.qemu = QemuAgent(monotonic())
        self.version = 0
        """What the guest's agent and we both know."""
        self.status: Status | None = None
        """What the guest does by its own account: Up or RebootInProgress."""
        self.heard: float | None = None
        """Monotonic seconds of the last valid message."""
        self.news = False
        """Something that is not told every few seconds changed since somebody looked."""
        self.deliver: Callable[[bytes], bool] | None = None
        self._replies: dict[str, Deferred[bool]] = {}
        self._waiting_for_lock: Deferred[None] | None = None
        self._said: tuple[bool, dict[str, Any]] | None = None
        self._complained = False

    def __repr__(self) -> str:
        return f"<GuestAgent {self.vm} version {self.version}>"

    @property
    def responsive(self) -> bool:
        """Whether the oVirt agent was heard within two minutes."""
        return self.heard is not None and self._monotonic() - self.heard < RESPONSIVE

    @property
    def active(self) -> bool:
        """Whether any agent answers."""
        return self.responsive or self.qemu.active

    @property
    def disks(self) -> dict[str, str]:
        """The guest's names of its disks, by serial."""
        return mapping.merged(self.report.mapping if self.responsive else {}, self.qemu.mapping)

    # -- from the guest

    def connected(self) -> None:
        """The channel is open: asks the guest for everything."""
        self._complained = False
        self.send("refresh", apiVersion=OURS)

    def receive(self, line: bytes) -> None:
        """A line from the guest. One that is no message is dropped, and nothing else with it."""
        try:
            message = parse(line)
            self.heard = self._monotonic()
            self._take(message)
        except BadMessage as problem:
            self._complain(problem)

    def silent(self) -> None:
        """Nothing was heard for a while: how much memory is free is not known any more."""
        if self.report.free_mib:
            self.report.free_mib = 0
        self.log.debug("the agent of {vm} is silent", vm=self.vm)

    def rebooted(self) -> None:
        """The guest started anew."""
        self.report.rebooted(self._wall())
        self.qemu.rebooted()
        self.changed()
        self.status = Status.REBOOTING  # whoever noticed the reboot tells it

    @property
    def carried(self) -> dict[str, Any]:
        """What another host should know when the guest goes there."""
        from virgate.node.guest import luggage

        return luggage.pack(self)

    def _take(self, message: Message) -> None:
        if message.name == "completion":
            waiting = self._replies.pop(str(message.arguments.get("reply_id")), None)
            if waiting is not None:
                waiting.callback(True)
            return
        if self.report.apply(message, self._wall()):
            self.changed(news=message.name != "heartbeat")
        if message.name == "heartbeat":
            self._beat(message.arguments)
        elif self._waiting_for_lock is not None and self.report.session in LOCKED:
            waiting_for_lock, self._waiting_for_lock = self._waiting_for_lock, None
            waiting_for_lock.callback(None)

    def _beat(self, arguments: Mapping[str, Any]) -> None:
        self.version, answer = negotiate(self.version, arguments)
        if answer:
            self.send("api-version", apiVersion=self.version)
        self.up()

    def up(self) -> None:
        """The guest's system runs."""
        if self.status is not Status.UP:
            self.status = Status.UP
            self._moved()

    def changed(self, *, news: bool = True) -> None:
        """Something that clients see is other than before."""
        self._said = None
        self.news = self.news or news

    def _complain(self, problem: BadMessage) -> None:
        """Once per connection: a guest must not fill the log."""
        if not self._complained:
            self._complained = True
            self.log.warn("{vm}: {problem}", vm=self.vm, problem=str(problem))

    # -- to the guest

    def send(self, name: str, /, **arguments: Any) -> bool:
        """Asks for something; False if there is no channel to ask through. Raises `NotSupported` for older agents.

        Arguments are never logged: some are passwords.
        """
        needed = NEEDED.get(name, 0)
        if self.version < needed:
            raise NotSupported(name, needed)
        if self.deliver is None or not self.deliver(encode(name, arguments)):
            self.log.debug("{vm} cannot be told to {name}", vm=self.vm, name=name)
            return False
        return True

    async def event(self, kind: str, *, wait: float = 0.0, failure: bool = False) -> bool:
        """Tells before_migration, after_migration, before_hibernation or after_hibernation, for the guest's scripts.

        With `wait` seconds it comes back when they are through, or nobody answers; True if the guest said so. Without,
        True if it was sent.
        """
        if self.version < NEEDED["lifecycle-event"]:
            return False
        arguments: dict[str, Any] = {"type": kind} | ({"failure": True} if failure else {})
        if not (wait and self.responsive):
            return self.send("lifecycle-event", **arguments) and not wait
        from uuid import uuid4

        reply = str(uuid4())
        answer: Deferred[bool] = Deferred()
        self._replies[reply] = answer
        try:
            if not self.send("lifecycle-event", **arguments, reply_id=reply):
                return False
            return bool(await answer.addTimeout(wait, self._reactor))
        except TimeoutError:
            self.log.info("the scripts of {vm} take too long", vm=self.vm)
            return False
        finally:
            self._replies.pop(reply, None)

    async def locked(self, timeout: float) -> bool:  # noqa: ASYNC109 (the guest's time, not the call's)
        """Locks the screen and waits until the guest says it is; True if it did. Few guests ever say it."""
        sent = self.send("lock-screen")
        if self.report.session in LOCKED:
            return True
        if not (sent and self.responsive and self._waiting_for_lock is None):
            return False
        waiting: Deferred[None] = Deferred()
        self._waiting_for_lock = waiting
        patience = timeout if "session" in self.report.told else min(timeout, UNSEEN_SESSION)
        try:
            await waiting.addTimeout(patience, self._reactor)
        except TimeoutError:
            return False
        finally:
            self._waiting_for_lock = None
        return True

    # -- for clients

    def shown(self, memory_mib: int, by_balloon: Mapping[str, str], devices: str) -> dict[str, Any]:
        """Members of the statistics. `by_balloon`: what the balloon says of memory; `devices`: the devices' hash."""
        responsive = self.responsive
        if self._said is None or self._said[0] != responsive:
            both = members.with_qemu(members.said(self.report, responsive=responsive), self.qemu.members)
            self._said = responsive, both
        found: dict[str, Any] = members.copied(self._said[1])
        used = members.usage(self.report.free_mib, memory_mib) if responsive else "0"
        if used != "0":
            found["memUsage"] = used
        if by_balloon:
            found["memoryStats"] = {**found.get("memoryStats", {}), **by_balloon}
        found["hash"] = mapping.hashed(devices, self.disks)
        return found
