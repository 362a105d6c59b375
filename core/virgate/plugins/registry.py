"""Finds plugins, loads and unloads them, and keeps what became of each for `virgate plugins list`.

A plugin that cannot be imported, that implements an unknown hook point, or that asks for another API version is
reported and left out; the daemon goes on unless the plugin is listed as required.
"""

import importlib.machinery
import importlib.util
import traceback
from collections.abc import Callable, Iterator
from enum import Enum
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from attrs import evolve, field, frozen
from twisted.logger import Logger

from virgate import API_VERSION
from virgate.config import option, places, section
from virgate.config.trust import distrusted
from virgate.plugins.hooks import Hooks

GROUP = "virgate.plugins"


@section("plugins")
class PluginSettings:
    """What is plugged into the daemon, beside everything installed under the entry-point group virgate.plugins."""

    directories: list[Path] = option(
        lambda: [places.configuration() / "plugins.d"], "Folders whose *.py files are plugins; watched while running."
    )
    disable: list[str] = option([], "Names of plugins that are not loaded.")
    require: list[str] = option([], "Names of plugins without which the daemon refuses to start.")


class State(Enum):
    LOADED = "loaded"
    DISABLED = "disabled"
    FAILED = "failed"


class PluginRequired(Exception):
    """A required plugin is missing or failed; says which and why."""


@frozen
class Plugin:
    """What is known of one plugin. `problem` is the last line of its traceback, or empty."""

    name: str
    version: str
    origin: str
    state: State
    hooks: tuple[str, ...] = ()
    problem: str = ""
    module: ModuleType | None = field(default=None, repr=False)
    stamp: tuple[int, ...] = ()
    """What the file looked like when it was last read: a file that did not change is not read again."""


class Registry:
    """All plugins of one daemon by name."""

    log = Logger()

    def __init__(self, hooks: Hooks, settings: PluginSettings) -> None:
        self.hooks = hooks
        self._settings = settings
        self._plugins: dict[str, Plugin] = {}

    def __iter__(self) -> Iterator[Plugin]:
        return iter(sorted(self._plugins.values(), key=lambda plugin: plugin.name))

    def load_installed(self) -> None:
        """Loads everything under the entry-point group, in name order."""
        for found in sorted(entry_points(group=GROUP), key=lambda point: point.name):
            self._load_installed(found)

    def load_folders(self) -> None:
        """Brings the drop-in plugins in step with what lies in the folders now: adds, replaces, removes."""
        for folder in self._settings.directories:
            for path in sorted(folder.glob("*.py")):
                known = self._plugins.get(path.stem)
                if known is None or known.origin != str(path) or known.stamp != _stamp(path):
                    self.refresh(path)
        for plugin in tuple(self):
            if plugin.origin.endswith(".py") and not Path(plugin.origin).exists():
                self._unload(plugin)

    def reload(self, settings: PluginSettings) -> None:
        """Takes new settings: drop-in folders that came or went, drop-in files disabled or not any more."""
        gone = set(self._settings.directories) - set(settings.directories)
        self._settings = settings
        for plugin in tuple(self):
            path = Path(plugin.origin)
            if path.suffix == ".py" and (path.parent in gone or plugin.name in settings.disable):
                self._unload(plugin)
        self.load_folders()

    def refresh(self, path: Path) -> None:
        """Loads, reloads or unloads one drop-in file. A broken new version leaves the loaded one in place."""
        known = self._plugins.get(path.stem)
        if not path.is_file():
            if known and known.origin == str(path):
                self._unload(known)
            return
        described = Plugin(path.stem, "", str(path), State.DISABLED, stamp=_stamp(path))
        if path.stem in self._settings.disable:
            self._plugins[path.stem] = described
        elif known and known.origin != str(path):
            self.log.warn(
                "plugin {path} is left out: {name} is the name of {other}",
                path=path,
                name=known.name,
                other=known.origin,
            )
        else:
            self._take(described, lambda: _import_file(path))

    def check_required(self) -> None:
        for name in self._settings.require:
            plugin = self._plugins.get(name)
            if plugin is None or plugin.state is not State.LOADED:
                reason = plugin.problem or plugin.state.value if plugin else "not installed"
                raise PluginRequired(f"the required plugin {name} is not loaded: {reason}")

    def _load_installed(self, found: EntryPoint) -> None:
        described = Plugin(found.name, found.dist.version if found.dist else "", found.value, State.DISABLED)
        if found.name in self._settings.disable:
            self._plugins[found.name] = described
        else:
            self._take(described, found.load)

    def _take(self, described: Plugin, importing: Callable[[], ModuleType]) -> None:
        """Imports and registers; the plugin of the same name that was there goes only when the new one is sound."""
        before = self._plugins.get(described.name)
        try:
            module = importing()
            _check_version(module)
            probe = Hooks(*self.hooks.specifications)
            probe.register(module, described.name)
        except (Exception, SystemExit) as error:
            self._leave_out(described, before, traceback.format_exception_only(error)[-1].strip())
            return
        if before and before.module:
            self.hooks.unregister(before.module)
        self.hooks.register(module, described.name)
        version = described.version or str(getattr(module, "__version__", ""))
        served = tuple(self.hooks.served_by(module))
        self._plugins[described.name] = evolve(
            described, version=version, state=State.LOADED, hooks=served, module=module
        )
        self.log.info("plugin {name} loaded from {origin}", name=described.name, origin=described.origin)

    def _leave_out(self, described: Plugin, before: Plugin | None, problem: str) -> None:
        self.log.error(
            "plugin {plugin.name} ({plugin.origin}) is left out: {problem}", plugin=described, problem=problem
        )
        stays = before is not None and before.state is State.LOADED
        failed = evolve(described, state=State.FAILED)
        kept = before if before and stays else failed
        self._plugins[described.name] = evolve(kept, problem=problem, stamp=described.stamp)

    def _unload(self, plugin: Plugin) -> None:
        if plugin.module:
            self.hooks.unregister(plugin.module)
        del self._plugins[plugin.name]
        self.log.info("plugin {name} unloaded", name=plugin.name)


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode


def _import_file(path: Path) -> ModuleType:
    for place in (path.parent, path):
        if reason := distrusted(place):
            raise PermissionError(f"{place} {reason}")
    name = f"virgate_dropin_{path.stem}"
    loader = _FreshLoader(name, str(path))
    module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(name, loader, origin=str(path)))
    loader.exec_module(module)
    return module


class _FreshLoader(importlib.machinery.SourceFileLoader):
    """Compiles the source every time: a byte-code cache goes by whole seconds and would miss a quick second edit."""

    def path_stats(self, path: str) -> NoReturn:
        raise OSError("the cache is not used")


def _check_version(module: ModuleType) -> None:
    wanted = getattr(module, "virgate_api", API_VERSION)
    if wanted != API_VERSION:
        raise ImportError(f"it is written for plugin API {wanted}, this daemon has {API_VERSION}")
