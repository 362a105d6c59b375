"""Running `lvm`: with the devices that a command needs and no others, and never for ever.

A disk that hangs takes every program along that reads it. So a command of one group sees that group's devices only,
as soon as they are known. When a command takes long each of its devices is read once: those that do not answer are
shown to no command until they do. What is asked of their groups fails at once, and others go on.
"""

import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any, cast

from attrs import define, field
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.storage.lvm.commands import REPORTS, Command, Method
from virgate.node.storage.values import Clock
from virgate.run.errors import TimedOut
from virgate.run.fence import unfenced
from virgate.run.process import Finished, run
from virgate.run.writers import writers

SOON = 10.0
"""Seconds after which a report is late: then its devices are asked one by one."""

PATIENCE = 120.0
"""Seconds that a command may take: LVM waits for its own locks and for disks that come back."""

ANSWER = 3.0
"""Seconds that a device has for one block."""

LONGEST_REPORT = 64 << 20

Failed = Callable[[str], VirgateError]


async def _nothing() -> None: ...


async def read_block(device: str) -> bool:
    """Whether the device gives its first block; comes back when the kernel knows, however long that takes."""
    argv = ["dd", f"if={device}", "of=/dev/null", "bs=4096", "count=1", "iflag=direct", "status=none"]
    return (await run(argv)).code == 0


@define(eq=False)
class Running:
    """`devices` are all that may hold groups; `rescan` looks for new ones."""

    log = Logger()

    devices: Callable[[], Sequence[str] | Awaitable[Sequence[str]]]
    rescan: Callable[[], Awaitable[object]] = _nothing
    method: Method = Method.DEVICES
    clock: Clock = field(factory=lambda: cast(Clock, default_reactor), kw_only=True)
    forget: Callable[[], object] = field(default=lambda: None, kw_only=True)
    """Lets `devices` look again."""
    answers: Callable[[str], Awaitable[bool]] = field(default=read_block, kw_only=True)
    """Whether a device can be read; for one that hangs the answer comes late."""
    _asked: "dict[str, Deferred[bool]]" = field(factory=dict)
    """Devices that are being read."""
    _silent: set[str] = field(factory=set)
    """Those of them that did not answer soon."""

    async def run(
        self,
        command: Command,
        group: str | None,
        failed: Failed,
        *,
        devices: Sequence[str] = (),
        patience: float = PATIENCE,
    ) -> Finished:
        """Runs a command that may look at the devices of its group (all, if they are not known) and at `devices`.

        When it fails it is run once more with all devices there are now, if those are others.
        """
        seen = {*(self._devices_of(group) or await self._paths()), *devices}
        finished = await self._attempt(command, seen, failed, patience)
        if finished.code:
            await self.rescan()
            again = {*await self._paths(), *devices}
            if again != seen:
                self.invalidate(group)
                finished = await self._attempt(command, again, failed, patience)
        if finished.code:
            raise failed(reason(finished.stderr))
        return finished

    def invalidate(self, group: str | None = None) -> None:
        """What is remembered of the group, or (None) of all, may be untrue."""

    async def unwell(self, devices: Iterable[str]) -> set[str]:
        """Those that are there and cannot be read, or do not answer. Each device by whichever of its names."""
        asked = {device: self._ask(_itself(device)) for device in there(devices)}
        if asked:
            await self._for_a_while(list(asked.values()))
        late = {_itself(device) for device in asked} & self._asked.keys()
        if new := late - self._silent:
            self.log.warn("LVM is not shown {devices} any more: no answer", devices=", ".join(sorted(new)))
        self._silent |= late
        return {device for device, answer in asked.items() if not getattr(answer, "result", False)}

    def _hangs(self, device: str) -> bool:
        return _itself(device) in self._silent

    async def _for_a_while(self, answers: "list[Deferred[bool]]") -> None:
        """Nobody else who waits for them is disturbed when the time is up."""
        done: Deferred[None] = Deferred()

        def tell(_: object) -> None:
            if not done.called:
                done.callback(None)

        DeferredList(answers).addCallback(tell)
        with suppress(TimeoutError):
            await done.addTimeout(ANSWER, cast(Any, self.clock))

    def _ask(self, device: str) -> "Deferred[bool]":
        if device in self._asked:
            return self._asked[device]
        self._asked[device] = answer = unfenced(self._read(device))
        return answer.addCallback(self._answered, device)

    async def _read(self, device: str) -> bool:
        try:
            return await self.answers(device)
        except VirgateError as problem:
            self.log.warn("{device} is not read: {problem}", device=device, problem=problem)
            return True

    def _answered(self, well: bool, device: str) -> bool:
        self._asked.pop(device, None)
        if device in self._silent:
            self._silent.discard(device)
            self.log.info("{device} answers again", device=device)
            self.invalidate()
        return well

    async def _attempt(self, command: Command, devices: set[str], failed: Failed, patience: float) -> Finished:
        """A report that hangs is tried again with the devices that answer; a change is not."""
        shown = {device for device in devices if not self._hangs(device)}
        if devices and not shown:
            raise failed(_no_answer(devices))
        try:
            return await self._run(command.argv(shown, self.method), min(SOON, patience) if command.reads else patience)
        except TimedOut as late:
            await self.unwell(shown)
            silent = {device for device in shown if self._hangs(device)}
            left = shown - silent
            if not command.reads or not left:
                raise failed(_no_answer(silent) if silent else str(late)) from None
        try:
            return await self._run(command.argv(left, self.method), patience)
        except TimedOut as late:
            raise failed(str(late)) from None

    async def _paths(self) -> Sequence[str]:
        found = self.devices()
        every = await found if isinstance(found, Awaitable) else found
        return [device for device in every if not self._hangs(device)]

    async def _run(self, argv: Sequence[str], patience: float) -> Finished:
        """LVM closes descriptors that it does not expect, the sign that something writes (run/writers.py) too; the
        one for reports of its log, which we do not switch on, is kept."""
        changes = writes(argv)
        sign = {"LVM_REPORT_FD": str(writers().writing)} if changes else {}
        environment = {**os.environ, "LC_ALL": "C", "LVM_SUPPRESS_FD_WARNINGS": "1", **sign}
        finished = await run(argv, env=environment, timeout=patience, limit=LONGEST_REPORT, writes=changes)
        self.log.debug("{argv}: {code}", argv=" ".join(argv), code=finished.code)
        return finished

    def _devices_of(self, group: str | None) -> Collection[str]:
        """Those of the group as far as they are known; none if one of them is missing."""
        return ()


def there(devices: Iterable[str]) -> set[str]:
    """A look at /dev asks no disk anything."""
    return {device for device in devices if os.path.exists(device)}  # noqa: PTH110


def _itself(device: str) -> str:
    """A device may be known by several links."""
    return os.path.realpath(device)


def writes(argv: Iterable[str]) -> bool:
    """Whether a command line changes what is on storage; activating and asking do not."""
    words = set(argv)
    if words & {*REPORTS, "--refresh", "--test"}:
        return False
    return "--available" not in words or bool(words & {"--addtag", "--deltag"})


def reason(stderr: bytes) -> str:
    """The last lines that are no warnings, as one."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("WARNING:")]
    return "; ".join((telling or lines)[-3:]) or "lvm does not say why"


def _no_answer(devices: Iterable[str]) -> str:
    return f"no answer from {', '.join(sorted(devices))}"
