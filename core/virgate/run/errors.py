"""What can go wrong with a program, a worker process or a thread pool.

All of them carry code 16: no client of the wires knows these failures by a number of their own.
"""

from typing import ClassVar

from virgate.errors import VirgateError, error


@error
class CannotStart(VirgateError):
    """The program was never executed: missing, not executable, no interpreter, no such folder, no process left."""

    text: ClassVar[str] = "Cannot start {self.program}: {self.reason}"
    program: str
    reason: str
    errno: int


@error
class TimedOut(VirgateError):
    """The program ran longer than allowed; its whole process group was killed."""

    text: ClassVar[str] = "{self.program} did not end within {self.seconds:g} seconds and was killed"
    program: str
    seconds: float


@error
class PoolClosed(VirgateError):
    """A call came after its thread pool was closed."""

    text: ClassVar[str] = "Thread pool {self.name} is closed"
    name: str


@error
class HelperLost(VirgateError):
    """The worker process died, hung and was killed, or was stopped; what became of the operation is unknown."""

    text: ClassVar[str] = "Helper {self.helper} was lost during {self.operation}: {self.detail}"
    helper: str
    operation: str
    detail: str = "it ended"


@error
class HelperFailed(VirgateError):
    """The operation itself broke in a way that is nobody's typed error."""

    text: ClassVar[str] = "Helper {self.helper} failed in {self.operation}: {self.detail}"
    helper: str
    operation: str
    detail: str
