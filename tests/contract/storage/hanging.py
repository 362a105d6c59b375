"""The operations of storage, with a way to let them hang: for tests of what a dead server does to its helper.

A pipe called `hang` in a domain's `dom_md` stands for the server: a look at the domain waits in the kernel as long as
nobody writes to it.
"""

from pathlib import Path
from typing import Any

from virgate.node.storage import operations


def wait_for(pipe: str) -> None:
    """Comes back when somebody writes to the pipe."""
    Path(pipe).read_bytes()


def check_domain(root: str) -> dict[str, Any]:
    pipe = Path(root) / "dom_md" / "hang"
    if pipe.exists():
        wait_for(str(pipe))
    answer: dict[str, Any] = operations.OPERATIONS["check_domain"](root)
    return answer


OPERATIONS = {**operations.OPERATIONS, "check_domain": check_domain, "wait_for": wait_for}
