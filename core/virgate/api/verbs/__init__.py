"""One module per noun; importing this package imports them all, and so declares every built-in verb."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
