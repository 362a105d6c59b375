"""What is installed beside the package."""

import os
import re
from pathlib import Path

from virgate_guest.port import NAMES

FOLDER = Path(__file__).parents[2] / "guest"


def test_the_rule_starts_the_unit_at_both_ports():
    rules = [line for line in (FOLDER / "55-virgate-guest.rules").read_text().splitlines() if line[0] != "#"]
    assert [re.search(r'ATTR\{name\}=="([^"]+)"', rule)[1] for rule in rules] == list(NAMES)
    for rule, name in zip(rules, NAMES, strict=True):
        assert f'SYMLINK+="virtio-ports/{name}"' in rule
        assert 'ENV{SYSTEMD_WANTS}+="virgate-guest.service"' in rule
    assert (FOLDER / "virgate-guest.service").exists()


def test_the_example_hook_may_run():
    assert os.access(FOLDER / "hooks.d/flush-caches", os.X_OK)
