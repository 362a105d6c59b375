"""The extension table: every event a plugin or a script can take part in is a function in one of these modules.

A function's docstring is its contract: when it fires, each argument, what may be changed, what failing does. Read
`vm.py` first. `point.py` says how a point is declared, `documents.py` what is handed over, `errors.py` how it fails.
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from virgate.hookspecs.point import Point


def modules() -> tuple[ModuleType, ...]:
    """Every module of this folder that declares points, in name order: what `virgate.plugins.Hooks` is made from."""
    found = (import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
    return tuple(module for module in found if points(module))


def points(module: ModuleType) -> dict[str, Point]:
    """The points that a module declares, by name, in the order of its text."""
    declared = ((name, getattr(value, "point", None)) for name, value in vars(module).items())
    return {name: found for name, found in declared if isinstance(found, Point)}
