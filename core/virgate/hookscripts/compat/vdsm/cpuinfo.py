# mypy: ignore-errors
# ruff: noqa
"""The host's CPU as /proc/cpuinfo tells."""

import io


def flags():
    """The CPU's flags, sorted."""
    with io.open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() in ("flags", "Features"):
                return sorted(value.split())
    return []
