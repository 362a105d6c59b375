# mypy: ignore-errors
# ruff: noqa
"""Facts about the host's kernel."""

from collections import namedtuple

NestedVirtualization = namedtuple("NestedVirtualization", "enabled, kvm_module")


def nested_virtualization():
    """Whether a KVM module of this host lets guests run guests, and which."""
    for module in ("kvm_intel", "kvm_amd"):
        try:
            with open("/sys/module/%s/parameters/nested" % module) as source:
                value = source.readline().strip()
        except (IOError, OSError):
            continue
        if value in ("Y", "y", "1"):
            return NestedVirtualization(True, module)
    return NestedVirtualization(False, None)
