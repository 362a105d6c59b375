"""What is asked of sanlock, with a binding that answers as told; and what its numbers are called."""

import errno
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from virgate_plugins.leases.sanlock import calls
from virgate_plugins.leases.sanlock.holding import GUARD
from virgate_plugins.leases.sanlock.reasons import reason

SPACE = "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e2001"
PLACE = (SPACE, "SDM", "/mnt/leases", 1 << 20)
LIVE, FREE, FAIL, DEAD, UNKNOWN = 3, 2, 4, 5, 1


class SanlockException(Exception):
    pass


class Binding(ModuleType):
    """`answers` by function: a value, or an exception to raise. What was asked stands in `asked`."""

    SanlockException = SanlockException

    def __init__(self) -> None:
        super().__init__("sanlock")
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            self.asked.append((name, arguments, options))
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


@pytest.fixture
def sanlock(monkeypatch: pytest.MonkeyPatch) -> Binding:
    made = Binding()
    monkeypatch.setitem(sys.modules, "sanlock", made)
    return made


def failing(number: int) -> SanlockException:
    return SanlockException(number, "Sanlock failed", "why")


def lease(name: bytes = b"SDM", space: bytes = SPACE.encode()) -> dict[str, Any]:
    return {"lockspace": space, "resource": name, "version": 3}


def seen(generation: int, state: int) -> list[dict[str, int]]:
    return [{"host_id": 7, "generation": generation, "flags": state}]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (seen(2, LIVE), [7, 3]),
        (seen(2, FAIL), [7, 3]),
        (seen(2, UNKNOWN), [7, 3]),
        (seen(2, DEAD), None),
        (seen(2, FREE), None),
        (seen(3, LIVE), None),
        (failing(errno.ENOSPC), [7, 3]),
        (failing(errno.ENOENT), [7, 3]),
    ],
    ids=["live", "failing", "unknown", "dead", "free", "joined again since", "not joined here", "no such host"],
)
def test_a_lease_is_its_owner_s_while_that_lives_since_before_he_took_it(
    sanlock: Binding, known: Any, expected: list[int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "SOCKET", "/")
    sanlock.answers = {"read_resource": lease(), "read_resource_owners": seen(2, 0), "get_hosts": known}
    assert calls.owner(*PLACE, 512, 1 << 20) == expected


@pytest.mark.parametrize("found", [lease(b"old-name"), lease(space=b"other"), lease(b"", b""), failing(-223)])
def test_what_is_no_lease_of_that_name_is_nobody_s(sanlock: Binding, found: Any) -> None:
    sanlock.answers = {"read_resource": found, "read_resource_owners": seen(2, 0), "get_hosts": seen(2, LIVE)}
    assert calls.owner(*PLACE, 512, 1 << 20) is None


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (seen(2, LIVE), True),
        (seen(2, FAIL), False),
        (seen(2, UNKNOWN), False),
        (seen(2, DEAD), False),
        (failing(errno.ENOSPC), False),
        (failing(errno.EAGAIN), False),
    ],
    ids=["live", "failing", "unknown", "dead", "not joined here", "just joined"],
)
def test_a_host_lives_when_sanlock_has_seen_it_lately(
    sanlock: Binding, known: Any, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "SOCKET", "/")
    sanlock.answers = {"get_hosts": known}
    assert calls.lives(SPACE, 2) is expected


def test_a_lease_without_an_owner_is_free(sanlock: Binding) -> None:
    sanlock.answers = {"read_resource": lease(), "read_resource_owners": []}
    assert calls.owner(*PLACE, 512, 1 << 20) is None


def test_storage_that_does_not_answer_is_no_free_lease(sanlock: Binding) -> None:
    sanlock.answers = {"read_resource": failing(-202)}
    with pytest.raises(OSError, match="why") as caught:
        calls.owner(*PLACE, 512, 1 << 20)
    assert "storage did not answer" in reason(caught.value)


@pytest.mark.parametrize(
    ("call", "function", "forgiven"),
    [
        (lambda: calls.begin_join(SPACE, 1, "/mnt/ids", 10), "add_lockspace", errno.EEXIST),
        (lambda: calls.begin_join(SPACE, 1, "/mnt/ids", 10), "add_lockspace", errno.EINPROGRESS),
        (lambda: calls.begin_leave(SPACE, 1, "/mnt/ids"), "rem_lockspace", errno.ENOSPC),
        (lambda: calls.acquire(*PLACE, 4711, False), "acquire", errno.EEXIST),
        (lambda: calls.release(*PLACE, 4711), "release", errno.ENOENT),
    ],
)
def test_what_is_so_already_is_no_failure_and_anything_else_is(
    sanlock: Binding, call: Any, function: str, forgiven: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "SOCKET", "/")
    sanlock.answers = {function: failing(forgiven)}
    call()
    sanlock.answers = {function: failing(-243)}
    with pytest.raises(OSError, match="why"):
        call()


def test_a_lease_is_taken_from_every_guard_of_one_machine(sanlock: Binding, monkeypatch: pytest.MonkeyPatch) -> None:
    argv = [sys.executable, "-c", "print(flush=True); input()", str(GUARD)]
    machines = ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    guards = [subprocess.Popen([*argv, machine], **pipes) for machine in (machines[0], *machines)]
    try:
        for guard in guards:  # a program that is still being loaded has no command line
            assert guard.stdout.readline() == b"\n"
        for forgiven in (None, failing(errno.ESRCH), failing(errno.ENOENT)):
            monkeypatch.setattr(calls, "SOCKET", "/")
            sanlock.answers, sanlock.asked = {"release": forgiven}, []
            calls.release_guarded(*PLACE, machines[0])
            assert {options["pid"] for _, _, options in sanlock.asked} == {guards[0].pid, guards[1].pid}
        sanlock.answers = {"release": failing(-243)}
        with pytest.raises(OSError, match="why"):
            calls.release_guarded(*PLACE, machines[1])
    finally:
        for guard in guards:
            guard.communicate(b"\n", timeout=10)


def test_leaving_asks_sanlock_to_kill_nobody(sanlock: Binding) -> None:
    calls.begin_leave(SPACE, 1, "/mnt/ids")
    assert sanlock.asked[0][2]["unused"] is True


def test_what_a_process_holds_is_told_in_plain_words(sanlock: Binding) -> None:
    sanlock.answers = {"inquire": [{**lease(), "flags": 0, "disks": [(b"/mnt/leases", 1 << 20)]}]}
    assert calls.held_by(4711) == [[SPACE, "SDM", 3, [["/mnt/leases", 1 << 20]]]]
    assert sanlock.asked == [("inquire", (), {"pid": 4711})]


def test_a_missing_file_is_not_taken_for_a_missing_service(sanlock: Binding, monkeypatch: pytest.MonkeyPatch) -> None:
    sanlock.answers = {"write_resource": failing(errno.ENOENT)}
    monkeypatch.setattr(calls, "SOCKET", "/")
    with pytest.raises(FileNotFoundError) as missing:
        calls.write(SPACE, "x", "/mnt/x", 0, 512, 1 << 20)
    monkeypatch.setattr(calls, "SOCKET", "/nowhere")
    with pytest.raises(ConnectionRefusedError) as refused:
        calls.write(SPACE, "x", "/mnt/x", 0, 512, 1 << 20)
    assert ("start it" in reason(missing.value), "start it" in reason(refused.value)) == (False, True)


def test_without_the_binding_every_call_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sanlock", None)
    with pytest.raises(OSError, match="sanlock") as caught:
        calls.held_by(4711)
    assert "install the packages python3-sanlock and sanlock" in reason(caught.value)
