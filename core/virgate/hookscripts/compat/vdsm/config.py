# mypy: ignore-errors
# ruff: noqa
"""Settings some scripts ask for: [vars] of /etc/vdsm/vdsm.conf over these defaults.

The environment variable VDSM_CONF names another file.
"""

import os

try:
    from configparser import RawConfigParser
except ImportError:
    from ConfigParser import RawConfigParser

_DEFAULTS = {
    "fake_kvm_support": "false",
    "fake_kvm_memory": "0",
    "fake_kvm_architecture": "x86_64",
    "fake_vmstats_enable": "false",
    "ssl": "true",
}


def _load():
    found = RawConfigParser()
    found.add_section("vars")
    for name, value in _DEFAULTS.items():
        found.set("vars", name, value)
    found.read([os.environ.get("VDSM_CONF", "/etc/vdsm/vdsm.conf")])
    return found


config = _load()
