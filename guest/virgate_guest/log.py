"""Lines on the standard error, each with the priority that the journal understands. `logging` costs half a megabyte."""

import sys

ERROR, WARNING, INFO, DEBUG = 3, 4, 6, 7

LEVEL = {"now": INFO}


def say(priority: int, told: str, *values: object) -> None:
    """Never give it what a host sent as a password."""
    if priority > LEVEL["now"]:
        return
    line = told.format(*values).encode("ascii", "backslashreplace").decode("ascii").replace("\n", "\\n")
    try:
        sys.stderr.write(f"<{priority}>{line}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass  # nobody listens


def error(told: str, *values: object) -> None:
    say(ERROR, told, *values)


def warning(told: str, *values: object) -> None:
    say(WARNING, told, *values)


def info(told: str, *values: object) -> None:
    say(INFO, told, *values)


def debug(told: str, *values: object) -> None:
    say(DEBUG, told, *values)
