"""Hook points are awaited here: every implementation in turn, by the contract its point declares.

`await hooks.before_vm_start(vm=..., domain=...)` calls the implementations one after the other in pluggy's order
(tryfirst, normal, trylast). Plain functions and coroutines both work. pluggy's own call is not used: it ends at the
first exception and knows no coroutine.
"""

import inspect
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pluggy
from twisted.logger import Logger

from virgate.hookspecs.point import Answers, Failure, Point

Call = Callable[..., Coroutine[Any, Any, Any]]


class Hooks:
    """The extension table: an attribute per hook point, each a coroutine function with keyword arguments."""

    log = Logger()

    def __init__(self, *specifications: Any) -> None:
        self.manager = pluggy.PluginManager("virgate")
        self.specifications: list[Any] = []
        self.points: dict[str, Point] = {}
        self._calls: dict[str, Call] = {}
        for module in specifications:
            self.declare(module)

    def declare(self, specification: Any) -> None:
        """Adds the hook points of a module or object (a plugin may bring points of its own)."""
        self.manager.add_hookspecs(specification)
        self.specifications.append(specification)
        for name in dir(specification):
            if isinstance(found := getattr(getattr(specification, name), "point", None), Point):
                self.points[name] = found

    def register(self, plugin: object, name: str) -> None:
        """Adds a plugin; an unknown hook or argument raises `pluggy.PluginValidationError` and adds nothing."""
        self.manager.register(plugin, name)
        try:
            self.manager.check_pending()
        except pluggy.PluginValidationError:
            self.manager.unregister(plugin)
            raise
        self._calls.clear()

    def unregister(self, plugin: object) -> None:
        self.manager.unregister(plugin)
        self._calls.clear()

    def served_by(self, plugin: object) -> list[str]:
        """The names of the points a registered plugin implements, sorted."""
        callers: Iterator[Any] = iter(self.manager.get_hookcallers(plugin) or ())
        return sorted(caller.name for caller in callers)

    def __getattr__(self, name: str) -> Call:
        try:
            return self._calls[name]
        except KeyError:
            pass
        if name not in self.points:
            raise AttributeError(f"no hook point is called {name}")
        call = self._calls[name] = self._prepare(self.points[name])
        return call

    def _prepare(self, point: Point) -> Call:
        caller = getattr(self.manager.hook, point.name)
        steps = tuple((found.function, found.argnames, found.plugin_name) for found in reversed(caller.get_hookimpls()))

        async def call(**given: Any) -> Any:
            answers = []
            for function, names, plugin in steps:
                try:
                    answer = function(*[given[name] for name in names])
                    if inspect.isawaitable(answer):
                        answer = await answer
                except Exception:
                    if point.failure is Failure.ABORT:
                        raise
                    self.log.failure("plugin {plugin} failed in {point}", plugin=plugin, point=point.name)
                    continue
                if answer is None or point.answers is Answers.NONE:
                    continue
                if point.answers is Answers.FIRST:
                    return answer
                answers.append(answer)
            return answers if point.answers is Answers.ALL else None

        return call
