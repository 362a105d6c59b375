"""The machine of the tests of plugging, with one image."""

from unit.vm.plugging.conftest import domain, machine

__all__ = ["domain", "machine"]
