"""Every error a caller can be told has a code and a sentence; a code means one thing."""

import importlib
import operator
import pkgutil
import sys
from collections import defaultdict

import attrs
import pytest

import virgate
import virgate_plugins
from virgate.errors import VirgateError

SHARED = {
    1: "the machine is not there, in our list or in libvirt's",
    4: "the machine is there already, or no way to shut it down (the old API says so)",
    9: "the machine cannot be made: the old API has one code for every reason",
    11: "a parameter is missing or empty",
    13: "what a drive should have, or should be, is not there",
    16: "anything without a code of its own",
    19: "an agent in the guest, of whichever kind, does not answer",
    40: "what was asked for is not to be had, or not yet",
    41: "a disk or drive keeps what it is on",
    44: "not done here",
    48: "a snapshot was not made, or nobody knows yet whether it was",
    56: "a device is as it was before",
    59: "a machine has disks that are thrown away at its end",
    75: "the guest, its agent or the hypervisor can never do it",
    78: "a script forbade it; the message says which, in words that old clients know",
    91: "a parameter of a newer verb cannot be meant",
    99: "the daemon cannot answer yet",
    200: "anything of storage without a code of its own",
    1000: "a parameter can never be right",
}
"""Codes that the old API gives to more than one situation."""


def all_errors():
    for package in (virgate, virgate_plugins):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".compat." not in module.name and not module.name.endswith(("__main__", ".worker")):
                importlib.import_module(module.name)
    found, waiting = set(), [VirgateError]
    while waiting:
        for cls in waiting.pop().__subclasses__():
            if cls.__module__.startswith(("virgate.", "virgate_plugins.")) and cls not in found:
                found.add(cls)
                waiting.append(cls)
    # A slotted class is made twice, and the first make may still be about until the garbage is swept: its name stands
    # for the second. Bases of rooms have no fields.
    found = {
        cls
        for cls in found
        if attrs.has(cls) and operator.attrgetter(cls.__qualname__)(sys.modules[cls.__module__]) is cls
    }
    return sorted(found, key=lambda cls: (cls.code, cls.__qualname__))


ERRORS = all_errors()


def test_a_code_belongs_to_one_error_or_to_its_family():
    by_code = defaultdict(list)
    for cls in ERRORS:
        by_code[cls.code].append(cls)
    for code, classes in by_code.items():
        if code not in SHARED:
            roots = [cls for cls in classes if not any(other in cls.__mro__[1:] for other in classes)]
            assert len(roots) == 1, f"code {code} means {[cls.__qualname__ for cls in classes]}"


@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.__qualname__)
def test_an_error_says_its_sentence_with_its_fields_in_it(cls):
    values = {field.alias: 3 if field.type in (int, float) else "x" for field in attrs.fields(cls) if field.init}
    said = str(cls(**values))
    assert said
    assert "{" not in said
