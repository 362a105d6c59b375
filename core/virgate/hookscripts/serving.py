"""Implementations of hook points that run scripts, made from the points' declarations."""

import inspect
from collections.abc import Callable, Coroutine, Iterator, Mapping
from types import ModuleType
from typing import Any

from attrs import frozen

from virgate import hookspecs
from virgate.hookscripts.runner import Document, Runner
from virgate.hookscripts.settle import settle
from virgate.hookscripts.turns import Turns
from virgate.hookscripts.verdict import Verdict
from virgate.hookspecs.documents import JsonDocument, Subject, XmlDocument
from virgate.hookspecs.point import Point

Implementation = Callable[..., Coroutine[Any, Any, None] | None]


@frozen
class Occasion:
    """The arguments of a point, as the runner wants them."""

    subject: Subject | None = None
    document: Document | None = None
    params: Mapping[str, Any] = {}

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> "Occasion":
        """Documents are told by their type; a device's custom properties and other words become parameters."""
        subject = document = None
        params: dict[str, Any] = {}
        for name, value in arguments.items():
            if isinstance(value, Subject):
                subject = value
            elif isinstance(value, XmlDocument | JsonDocument):
                document = value
                params.update(value.custom if isinstance(value, XmlDocument) else {})
            elif isinstance(value, Mapping):
                params.update(value)
            else:
                params[name.upper()] = str(value)  # from_snapshot -> FROM_SNAPSHOT=True
        return cls(subject, document, params)


class Service:
    """Scripts as implementations of every hook point that is declared with `scripts=True`."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self._turns = Turns()

    def implementations(self, modules: tuple[ModuleType, ...]) -> Iterator[tuple[str, Implementation]]:
        for module in modules:
            for name, point in hookspecs.points(module).items():
                if point.scripts:
                    yield name, self.implementation(point, getattr(module, name))

    def implementation(self, point: Point, specification: Callable[..., Any]) -> Implementation:
        """A function with the arguments of the specification. Where no script is installed it costs a look into the
        folders and answers None; else it answers a coroutine, which raises HookError by the point's contract.
        """
        names = tuple(inspect.signature(specification).parameters)

        def serve(*arguments: Any) -> Coroutine[Any, Any, None] | None:
            scripts = self.runner.scripts(point.name)
            if not scripts:
                return None
            return self._serve(point, scripts, Occasion.of(dict(zip(names, arguments, strict=True))))

        serve.__name__, serve.__doc__ = point.name, specification.__doc__
        # pluggy takes the argument names from the innermost `__wrapped__`, whatever `__signature__` says.
        serve.__wrapped__ = specification  # type: ignore[attr-defined]
        return serve

    async def _serve(self, point: Point, scripts: tuple[str, ...], occasion: Occasion) -> None:
        if occasion.subject is None:
            await self.fire(point, scripts, occasion)
            return
        async with self._turns.turn(occasion.subject.id, waits=point.event):
            await self.fire(point, scripts, occasion)

    async def fire(self, point: Point, scripts: tuple[str, ...], occasion: Occasion) -> Verdict:
        """Runs the scripts and settles what they left; raises HookError by the point's contract."""
        given = occasion.subject, occasion.document, occasion.params
        verdict = await self.runner.run_scripts(scripts, point.name, *given)
        settle(point, occasion.document, verdict)
        return verdict
