# mypy: ignore-errors
# ruff: noqa
"""Processor architectures: the host's own, and the one it is made to claim."""

import platform

from vdsm.config import config

X86_64 = "x86_64"
PPC64 = "ppc64"
PPC64LE = "ppc64le"
AARCH64 = "aarch64"
S390X = "s390x"

_KNOWN = (X86_64, PPC64, PPC64LE, AARCH64, S390X)


class UnsupportedArchitecture(Exception):
    def __init__(self, target_arch):
        Exception.__init__(self, "unknown processor architecture: %s" % target_arch)
        self.target_arch = target_arch


def real():
    return _known(platform.machine())


def effective():
    faked = config.getboolean("vars", "fake_kvm_support")
    return _known(config.get("vars", "fake_kvm_architecture")) if faked else real()


def is_x86(arch):
    return _known(arch) == X86_64


def is_ppc(arch):
    return _known(arch) in (PPC64, PPC64LE)


def is_arm(arch):
    return _known(arch) == AARCH64


def is_s390(arch):
    return _known(arch) == S390X


def _known(arch):
    if arch not in _KNOWN:
        raise UnsupportedArchitecture(arch)
    return arch
