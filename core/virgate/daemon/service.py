"""Starts and stops the whole: plugins have been loaded, now the node, its transports and the signals."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.logger import Logger

import virgate
from virgate.api.dispatch import Api
from virgate.config import Settings, SettingsError, sections
from virgate.config.daemon import DaemonSettings
from virgate.daemon.lean import give_back_memory
from virgate.daemon.logs import Logs
from virgate.daemon.notify import notify
from virgate.node.assemble import Places, assemble
from virgate.plugins import PluginSettings, Registry
from virgate.run.background import background
from virgate.run.folders import FolderWatch

if TYPE_CHECKING:
    from virgate.hookspecs.transport import Transport
    from virgate.node.node import Node

reactor: Any = _reactor

RELOADED = frozenset(
    {"daemon.log_level", "plugins.directories", "plugins.disable", "hooks.directories", "hooks.timeout"}
)
"""Keys of the daemon's own sections that take effect on SIGHUP; plugins read theirs again by `settings_loaded`."""


class Daemon:
    """One run of the daemon, from the first hook point to the last."""

    log = Logger()

    def __init__(self, settings: Settings, registry: Registry, logs: Logs, reread: Callable[[], Settings]) -> None:
        self._settings = settings
        self._registry = registry
        self._hooks = registry.hooks
        self._logs = logs
        self._reread = reread
        self._transports: list[Transport] = []
        self._node: Node | None = None
        self._watch: FolderWatch | None = None
        self._exit_code = 0
        self._stopping = False

    def run(self) -> int:
        """Runs the reactor until a signal ends it; the answer is the exit code of the process."""
        reactor.callWhenRunning(lambda: Deferred.fromCoroutine(self._start()).addErrback(self._could_not_start))
        reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(self._stop()))
        reactor.callWhenRunning(
            signal.signal, signal.SIGHUP, lambda *_: reactor.callFromThread(self._reload_when_asked)
        )
        reactor.run()
        return self._exit_code

    async def _start(self) -> None:
        await self._hooks.settings_loaded(settings=self._settings)
        await self._hooks.before_vdsm_start()
        daemon = self._settings[DaemonSettings]
        places = Places(daemon.state_dir, daemon.run_dir)
        node = self._node = assemble(self._settings, places, self._hooks, self._registry)
        node.events.listen("daemon.log_level", self._logs.set_level)
        self._transports = await self._hooks.transports(api=Api(node), settings=self._settings)
        for transport in self._transports:
            await transport.start()
        self._watch_plugins()
        addresses = ", ".join(transport.describe() for transport in self._transports)
        self.log.info("serving", version=virgate.__version__, seconds=age(), on=addresses)
        notify(READY=1, STATUS=f"serving {addresses}")
        await node.start()
        give_back_memory()
        self.log.info("ready", machines=len(node.machines), seconds=age())

    def _could_not_start(self, failure: Any) -> None:
        if self._stopping:
            return  # the start was still waiting, for libvirt as a rule, when the daemon was told to stop
        self.log.failure("the daemon cannot start", failure=failure)
        self._exit_code = 1
        reactor.stop()

    async def _stop(self) -> None:
        self._stopping = True
        notify(STOPPING=1)
        self.log.info("stopping")
        if self._watch is not None:
            self._watch.close()
        for transport in self._transports:
            await self._quietly(transport.stop())
        if self._node is not None:
            await self._quietly(self._node.stop())
        await self._quietly(self._hooks.after_vdsm_stop())
        self.log.info("stopped", seconds=age())

    async def _quietly(self, step: Any) -> None:
        """A step of the end that fails must not keep the others from being taken."""
        try:
            await step
        except Exception:
            self.log.failure("a step of the shutdown failed")

    def _watch_plugins(self) -> None:
        watch = self._watch = FolderWatch(lambda folder: self._registry.load_folders())
        for folder in self._settings[PluginSettings].directories:
            watch.add(folder)

    def _reload_when_asked(self) -> None:
        background(self._reload(), self.log, "reload failed")

    async def _reload(self) -> None:
        """SIGHUP: settings that can change while running do; of the others it says that they wait for a restart."""
        notify(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)
        try:
            settings = self._reread()
            settings.check()
        except SettingsError as error:
            self.log.error("settings stay as they were: {error}", error=error)
        else:
            for name in sorted(changed_keys(self._settings, settings) - RELOADED):
                self.log.warn("{name} changed; it takes effect when the daemon is restarted", name=name)
            self._settings = settings
            if self._node is not None:
                self._node.settings = self._node.host.settings = settings
            self._logs.set_level(settings[DaemonSettings].log_level)
            self._registry.reload(settings[PluginSettings])
            if self._watch is not None:
                self._watch.close()
            self._watch_plugins()
            await self._hooks.settings_loaded(settings=settings)
            self.log.info("settings reloaded")
        notify(READY=1)


def age() -> float:
    """Seconds since this process was started, its imports included."""
    started = int(Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")


def changed_keys(before: Settings, after: Settings) -> set[str]:
    """`section.key` of every value that differs, among the sections of the daemon itself."""
    return {
        f"{name}.{key.name}"
        for name, section in sections().items()
        if section.__module__.startswith("virgate.")
        for key in attrs.fields(section)
        if getattr(before[section], key.name) != getattr(after[section], key.name)
    }
