"""The files of one task's directory (spec storage-format 7.1, xmlrpc-storage 5.3).

`<id>.task`, `<id>.result` (finished tasks only), `<id>.job.N`, `<id>.recover.N`: lines `field = value`. An `=` inside
is written as `_eq_`; text that holds `_eq_` already cannot be told apart and is left out.
"""

from collections.abc import Iterable, Mapping

from attrs import field, frozen

from virgate.errors import InvalidParameter
from virgate.node.storage.formats.errors import UnreadableMetadata

FORMAT_VERSION = 1
FINISHED = "finished"


def _params(values: Iterable[str]) -> tuple[str, ...]:
    params = tuple(map(str, values))
    for param in params:
        if "," in param or param != param.strip() or len(param.splitlines()) > 1 or not _storable(param):
            raise InvalidParameter("params", param)
    return params


def _storable(text: str) -> bool:
    return "_eq_" not in text and _unescape(_escape(text)) == text


def _escape(text: str) -> str:
    return text.replace("=", "_eq_")


def _unescape(text: str) -> str:
    return text.replace("_eq_", "=")


@frozen
class Recovery:
    """One step of a rollback, by name, so that another process, or another program, can run it."""

    name: str
    module: str
    object: str
    function: str
    params: tuple[str, ...] = field(default=(), converter=_params)
    """Stored comma separated: none may hold a comma."""


@frozen
class JobRecord:
    """What a task was doing. Informational: a job is never run a second time."""

    name: str
    command: str = ""


@frozen
class Outcome:
    """How a finished task ended; `result` is text."""

    code: int = 0
    message: str = ""
    result: str = ""


@frozen(kw_only=True)
class TaskRecord:
    """One task as it is stored. Words are the format's: states and policies are not checked here."""

    id: str
    verb: str
    tag: str = ""
    store: str = ""
    state: str = "unknown"
    recovery_policy: str = "auto"
    persist_policy: str = "auto"
    clean_policy: str = "manual"
    priority: str = "low"
    jobs: tuple[JobRecord, ...] = ()
    recoveries: tuple[Recovery, ...] = ()
    """The last one is undone first."""
    outcome: Outcome | None = None


def encode(task: TaskRecord) -> dict[str, bytes]:
    """File name -> content, all files of the directory."""
    head = {
        "id": task.id,
        "name": task.verb,
        "tag": task.tag,
        "store": task.store,
        "recoveryPolicy": task.recovery_policy,
        "persistPolicy": task.persist_policy,
        "cleanPolicy": task.clean_policy,
        "priority": task.priority,
        "state": task.state,
        "njobs": str(len(task.jobs)),
        "nrecoveries": str(len(task.recoveries)),
        "metadataVersion": str(FORMAT_VERSION),
    }
    files = {f"{task.id}.task": encode_fields(head)}
    for number, job in enumerate(task.jobs):
        files[f"{task.id}.job.{number}"] = encode_fields({"name": job.name, "runcmd": job.command})
    for number, recovery in enumerate(task.recoveries):
        files[f"{task.id}.recover.{number}"] = encode_recovery(recovery)
    if task.outcome is not None and task.state == FINISHED:
        outcome = task.outcome
        fields = {"code": str(outcome.code), "message": outcome.message, "result": outcome.result}
        files[f"{task.id}.result"] = encode_fields(fields)
    return files


def encode_recovery(recovery: Recovery) -> bytes:
    return encode_fields(
        {
            "name": recovery.name,
            "moduleName": recovery.module,
            "object": recovery.object,
            "function": recovery.function,
            "params": ",".join(recovery.params),
        }
    )


def decode(task_id: str, files: Mapping[str, bytes]) -> TaskRecord:
    """Raises UnreadableMetadata when a file is missing: the directory was not completely written."""
    head = decode_fields(_file(files, f"{task_id}.task"))
    if "nrecoveries" not in head or "state" not in head:
        raise UnreadableMetadata(f"task {task_id} is cut short")
    result = files.get(f"{task_id}.result")
    return TaskRecord(
        id=task_id,
        verb=head.get("name", ""),
        tag=head.get("tag", ""),
        store=head.get("store", ""),
        state=head["state"],
        recovery_policy=head.get("recoveryPolicy", "none"),
        persist_policy=head.get("persistPolicy", "none"),
        clean_policy=head.get("cleanPolicy", "manual"),
        priority=head.get("priority", "low"),
        jobs=tuple(
            _decode_job(_file(files, f"{task_id}.job.{number}")) for number in range(_count(head.get("njobs", "0")))
        ),
        recoveries=tuple(
            _decode_recovery(_file(files, f"{task_id}.recover.{number}"))
            for number in range(_count(head["nrecoveries"]))
        ),
        outcome=None if result is None else _decode_outcome(result),
    )


def encode_fields(values: Mapping[str, str]) -> bytes:
    """Lines `field = value`; line ends inside a value become spaces."""
    kept = [(key, value) for key, value in values.items() if _storable(key) and _storable(value)]
    lines = [f"{_escape(key)} = {_escape(' '.join(value.splitlines()))}\n" for key, value in kept]
    return "".join(lines).encode(errors="replace")


def decode_fields(data: bytes) -> dict[str, str]:
    """Lines that do not hold exactly one `=` are not ours."""
    values = {}
    for line in data.decode(errors="replace").split("\n"):
        parts = line.split("=")
        if len(parts) == 2:
            values[_unescape(parts[0].strip())] = _unescape(parts[1].strip())
    return values


def _file(files: Mapping[str, bytes], name: str) -> bytes:
    try:
        return files[name]
    except KeyError:
        raise UnreadableMetadata(f"no file {name}") from None


def _count(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UnreadableMetadata(f"count {text!r}") from None


def _decode_job(data: bytes) -> JobRecord:
    fields = decode_fields(data)
    return JobRecord(fields.get("name", ""), fields.get("runcmd", ""))


def _decode_recovery(data: bytes) -> Recovery:
    fields = decode_fields(data)
    params = fields.get("params", "")
    return Recovery(
        name=fields.get("name", ""),
        module=fields.get("moduleName", ""),
        object=fields.get("object", ""),
        function=fields.get("function", ""),
        params=[param.strip() for param in params.split(",")] if params else (),
    )


def _decode_outcome(data: bytes) -> Outcome:
    fields = decode_fields(data)
    try:
        code = int(fields.get("code", "0"))
    except ValueError:
        code = 0
    return Outcome(code, fields.get("message", ""), fields.get("result", ""))
