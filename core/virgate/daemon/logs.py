"""One line per event, as logfmt or JSON.

The message is the event's format with its fields put in. Fields that the format does not name stand beside it as
`key=value`, so `log.info("call", verb="ping", code=0)` is a record a program can read.
"""

import json
import re
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Any, TextIO

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
    globalLogBeginner,
)
from zope.interface import implementer

_PLAIN = re.compile(r"[^\s\"=\\]+")


@lru_cache(maxsize=512)
def _named(format: str) -> frozenset[str]:
    try:
        return frozenset(re.split(r"[.\[(]", name)[0] for _, name, _, _ in Formatter().parse(format) if name)
    except ValueError:
        return frozenset()


def record(event: LogEvent) -> dict[str, Any]:
    """time, level, room, message, the fields beside the message, and the traceback if there is one."""
    format = event.get("log_format") or ""
    made = {
        "time": _stamp(event["log_time"]),
        "level": event["log_level"].name,
        "room": event.get("log_namespace", "-"),
        "msg": formatEvent(event),
    }
    for key, value in event.items():
        if not key.startswith("log_") and key not in _NOISE and key not in _named(format):
            made[key] = round(value, 6) if isinstance(value, float) else value
    if failure := event.get("log_failure"):
        made["error"] = f"{failure.type.__name__}: {failure.getErrorMessage()}"
        made["traceback"] = failure.getTraceback(detail="brief")
    return made


_NOISE = frozenset({"isError", "message", "printed", "system", "time", "format"})


def _stamp(seconds: float) -> str:
    whole = int(seconds)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int((seconds - whole) * 1000):03d}Z"


def logfmt(made: dict[str, Any]) -> str:
    return " ".join(f"{key}={_quoted(value)}" for key, value in made.items())


def _quoted(value: Any) -> str:
    text = str(value)
    return text if text.isprintable() and _PLAIN.fullmatch(text) else _visible(json.dumps(text, ensure_ascii=False))


def as_json(made: dict[str, Any]) -> str:
    return _visible(json.dumps(made, default=str, ensure_ascii=False))


def _visible(quoted: str) -> str:
    """JSON with everything escaped that a terminal would obey or a file cannot hold, half characters among it."""
    if quoted.isprintable():
        return quoted
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in quoted)


@implementer(ILogObserver)
class LineObserver:
    """Writes records to a text stream, line by line."""

    def __init__(self, stream: TextIO, render: Callable[[dict[str, Any]], str]) -> None:
        self._stream = stream
        self._render = render

    def __call__(self, event: LogEvent) -> None:
        try:
            self._stream.write(self._render(record(event)) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return  # a full disk or a closed pipe must not stop the daemon, and there is nowhere left to say so


class Logs:
    """The daemon's log; `set_level` works while running."""

    def __init__(self, file: str, format: str, level: str) -> None:
        stream = Path(file).open("a", encoding="utf-8") if file else sys.stderr  # noqa: SIM115 (open as long as we live)
        self._predicate = LogLevelFilterPredicate()
        self.set_level(level)
        lines = LineObserver(stream, as_json if format == "json" else logfmt)
        filtering: Any = FilteringLogObserver  # its interfaces tell a type checker nothing
        self._observer = filtering(lines, [self._predicate])

    def begin(self) -> None:
        globalLogBeginner.beginLoggingTo([self._observer], redirectStandardIO=False, discardBuffer=False)

    def set_level(self, level: str) -> None:
        self._predicate.setLogLevelForNamespace("", LogLevel.levelWithName(level))
