"""Settings of the task room."""

from attrs.validators import ge

from virgate.config import option, section


@section("tasks")
class TaskSettings:
    """Long storage jobs."""

    parallel: int = option(10, "Jobs that run at the same time.", ge(1))
    queue: int = option(500, "Jobs that may wait for their turn; one more is refused with code 405.", ge(1))
    lock_timeout: float = option(120.0, "Seconds a job waits for a locked pool, domain or image (code 851).", ge(0))
    patience: float = option(
        300.0,
        "Seconds that a task goes on trying what may not be left out while storage fails: the steps that undo it, and"
        " the note that it is done. After that it ends as cleanFailure, half undone, until somebody looks at it; or as"
        " a success that the next SPM, which finds no note of it, undoes.",
        ge(0),
    )
    keep_codes: bool = option(False, "Report every error code of a job, also those that old hosts replace by 100.")


DEFAULTS = TaskSettings()
