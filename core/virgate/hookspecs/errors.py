"""How a hook point fails."""

from typing import ClassVar

from virgate.errors import VirgateError, error


@error
class HookError(VirgateError):
    """A script or plugin refused the operation, or left something that cannot be used.

    `detail` is what the script said on standard error, or one sentence when it said nothing; `point` and `script` say
    where to look. Plugins that want to refuse with their own words raise it, too.
    """

    code: ClassVar[int] = 1500
    text: ClassVar[str] = "Hook Error: {self.detail}"
    detail: str
    point: str = ""
    script: str = ""
