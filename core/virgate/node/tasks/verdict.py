"""The code and message that a failed job leaves in its task's status (spec xmlrpc-storage 5.4)."""

from virgate.errors import VirgateError

GENERAL = 100

LOST = frozenset(
    {203, 204, 213, 214, 215, 217, 218, 219, 220, 221, 224, 225, 363, 443, 559, 1000, 1001, 2000, 3000, 4900}
    | set(range(400, 443))
    | set(range(850, 856))
)
"""Codes that a synchronous reply carries and a task replaces by 100; clients of old hosts expect that."""

_FIRST_STORAGE_CODE = 200


def verdict(problem: BaseException, *, keep_codes: bool = False) -> tuple[int, str]:
    """(code, message). With `keep_codes` every coded error keeps its own code."""
    if not isinstance(problem, VirgateError):
        return GENERAL, f"{type(problem).__name__}: {problem}"
    if keep_codes or (problem.code >= _FIRST_STORAGE_CODE and problem.code not in LOST):
        return problem.code, str(problem)
    return GENERAL, str(problem)
