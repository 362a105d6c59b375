"""The disks that this host sees. Looking for new ones is asked for; what was seen is remembered until then."""

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.storage.devices import reading
from virgate.node.storage.devices.settings import DeviceSettings
from virgate.node.storage.devices.values import Device
from virgate.node.storage.domains.domains import FilesOf
from virgate.node.storage.errors.volume_groups import DeviceInaccessible
from virgate.run.process import Finished, run

KEY = "devices"
"""The helper that reads sysfs."""
SCANNER = "devices#scan"
"""The one that tells adapters to look for disks, which takes as long as the slowest of them."""
BLOCKS = "/sys/block"
SESSIONS = "/sys/class/iscsi_session"
STATES_AGE = 30.0
"""Seconds for which it is taken for granted that the paths of a disk still work."""
FIBRE = ("/sys/class/fc_host", "/sys/class/sas_host")


@define(eq=False)
class Devices:
    """Sees SCSI disks and multipath maps. A host without any starts neither helper nor program."""

    log = Logger()

    helpers: FilesOf
    settings: DeviceSettings = field(factory=DeviceSettings)
    _seen: tuple[Device, ...] | None = None
    _looked: float = 0.0
    _waiting: "list[Deferred[None]]" = field(factory=list)
    """Those who wait for the look that is under way."""

    async def all(self, *, fresh: bool = False) -> tuple[Device, ...]:
        """By id. `fresh`: what the kernel shows now; it is not made to look for new ones."""
        if not any(name.startswith("sd") for name in _names(BLOCKS)):
            self._seen = None
            return ()
        if self._seen is None or fresh:
            found = await self.helpers[KEY].call("scan_devices")
            states = await self._states() if found["maps"] else {}
            self._seen, self._looked = reading.devices(found, states), time.monotonic()
        return self._seen

    async def find(self, guid: object) -> Device:
        """`DeviceInaccessible` (606) for what is no id, or of no device that this host sees."""
        if reading.is_guid(guid):
            for fresh in (False, True):
                for device in await self.all(fresh=fresh):
                    if device.guid == guid:
                        return device
        raise DeviceInaccessible(str(guid))

    async def at(self, path: str) -> Device | None:
        """The device that a path leads to, by whichever of its names."""
        return next((device for device in await self.all() if path in device.aliases), None)

    async def visible(self, guids: Iterable[str]) -> dict[str, bool]:
        """Looks for new disks if one is missing."""
        wanted = [str(guid) for guid in guids]
        there = {device.guid for device in await self.all(fresh=True)}
        if not there.issuperset(wanted):
            await self.rescan()
            there = {device.guid for device in await self.all()}
        return {guid: guid in there for guid in wanted}

    async def paths_for_lvm(self) -> tuple[str, ...]:
        """What LVM may look at: our devices with a path that works, and the whitelist.

        Never a disk that the host uses otherwise.
        """
        ours = {device.path for device in await self._lately() if device.active and not device.foreign}
        return tuple(sorted(ours | _there(self.settings.whitelist)))

    async def _lately(self) -> tuple[Device, ...]:
        """What was seen before will do when the look fails: reading the attributes of a dying disk may hang."""
        known = self._seen
        try:
            return await self.all(fresh=time.monotonic() > self._looked + STATES_AGE)
        except VirgateError as problem:
            if known is None:
                raise
            self._looked = time.monotonic()
            self.log.warn("disks are not looked at: {problem}", problem=problem)
            return known

    def forget(self) -> None:
        """The next question is answered by the kernel."""
        self._seen = None

    async def rescan(self) -> None:
        """Looks for new disks, new sizes and lost paths, in bounded time. Who asks meanwhile gets the same look.

        What fails is logged: the disks that are there are of use without those that do not answer.
        """
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            try:
                await self._look()
            except VirgateError as problem:
                self.log.warn("looking for disks: {problem}", problem=problem)
            finally:
                self._seen = None
                told, self._waiting = self._waiting, []
                for one in told:
                    one.callback(None)
        await waiting

    async def _look(self) -> None:
        await self._sessions()
        await self._adapters()
        if _names(BLOCKS) or _names(SESSIONS):
            await self._run(["udevadm", "settle", f"--timeout={self.settings.settle_timeout:g}"], patience=5)
        await self._maps()

    async def _sessions(self) -> None:
        """One program for all; where a session is down, one for each other: it would wait for that, too."""
        names = _names(SESSIONS)
        up = [name.removeprefix("session") for name in names if _logged_in(name)]
        if names and len(up) == len(names):
            await self._run(["iscsiadm", "-m", "session", "-R"])
        elif up:
            ask = [["iscsiadm", "-m", "session", "-r", number, "-R"] for number in sorted(up)]
            await gatherResults([Deferred.fromCoroutine(self._run(argv)) for argv in ask])

    async def _adapters(self) -> None:
        if not any(_names(kind) for kind in FIBRE):
            return
        try:
            failed = await self.helpers[SCANNER].call("scan_hosts", timeout=self.settings.scan_timeout)
        except VirgateError as problem:
            self.log.warn("adapters do not look for disks: {problem}", problem=problem)
        else:
            if failed:
                self.log.warn("adapters {failed} do not look for disks", failed=", ".join(failed))
        finally:
            await self.helpers.drop(SCANNER)

    async def _maps(self) -> None:
        """Waits for multipath, and has maps grow whose disks have grown."""
        if not any(name.startswith("sd") for name in _names(BLOCKS)):
            return
        patience = self.settings.multipath_timeout
        late = await self.helpers[KEY].call("wait_for_maps", patience, timeout=patience + 30)
        if late:
            self.log.warn(
                "multipath did not take {late} within {patience:g} s", late=", ".join(late), patience=patience
            )
        found = await self.helpers[KEY].call("scan_devices")
        for name in reading.outgrown(found):
            await self._run(["multipathd", "resize", "map", name])

    async def _states(self) -> dict[str, dict[str, bool]]:
        told = await self._run(["dmsetup", "status", "--target", "multipath"])
        return reading.map_states(told.stdout.decode(errors="replace")) if told else {}

    async def _run(self, argv: Sequence[str], patience: float = 0) -> Finished | None:
        """None if it could not be run to its end; that is logged, an exit code but 0 too."""
        try:
            told = await run(argv, timeout=self.settings.scan_timeout + patience)
        except VirgateError as problem:
            self.log.warn("{problem}", problem=problem)
            return None
        if told.code:
            said = told.stderr.decode(errors="replace").strip()
            self.log.info("{program} ended with {code}: {said}", program=" ".join(argv), code=told.code, said=said)
        return told


def _names(folder: str) -> list[str]:
    """Listing them asks no disk anything."""
    try:
        return os.listdir(folder)  # noqa: PTH208
    except FileNotFoundError:
        return []


def _logged_in(session: str) -> bool:
    try:
        return Path(SESSIONS, session, "state").read_text().strip() == "LOGGED_IN"
    except OSError:
        return False


def _there(paths: Iterable[str]) -> set[str]:
    return {path for path in paths if path.startswith("/dev/") and Path(path).exists()}
