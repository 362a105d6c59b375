"""The environment of a script: later sources win (spec hooks 2.3).

daemon's environment < parameters of the event (properties of the device, ...) < custom properties of the machine
< what the runner itself sets.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from virgate.hookspecs.documents import Subject

COMPAT = Path(__file__).with_name("compat")
"""Where `hooking` and the shims of the `vdsm` package lie: for the scripts' interpreters, not for ours."""

_NOT_INHERITED = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}
)
"""Variables for the daemon alone: a script that follows them would speak to the service manager in its name."""


_LOADER = "LD_"
"""Beginning of the names that the dynamic loader obeys: a property would run code of its own in the scripts' place."""


def inherited(daemon: Mapping[str, str]) -> dict[str, str]:
    """The daemon's own environment as scripts get it, in a UTF-8 locale."""
    kept = {name: value for name, value in daemon.items() if name not in _NOT_INHERITED}
    return kept | {"LC_ALL": "C.UTF-8"}


def environment(
    base: Mapping[str, str], subject: Subject | None, params: Mapping[str, Any], run_dir: Path
) -> tuple[dict[str, str], list[str]]:
    """The environment without the data file, and the names left out: no environment can hold them, or none should."""
    made, left_out = dict(base), []
    for source in (params, subject.custom if subject else {}):
        for name, value in source.items():
            text = _text(value)
            if text is None or not _possible(name, text):
                left_out.append(str(name))
            else:
                made[name] = text
    if subject:
        made["vmId"] = subject.id
    made["VIRGATE_RUN_DIR"] = str(run_dir)
    made["PYTHONPATH"] = f"{made.get('PYTHONPATH', '')}:{COMPAT}"
    return made, left_out


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, bool | int | float) else None


def _possible(name: Any, text: str) -> bool:
    if not isinstance(name, str) or not name or "=" in name or name.startswith(_LOADER):
        return False
    return _encodable(name) and _encodable(text)


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return "\0" not in text
