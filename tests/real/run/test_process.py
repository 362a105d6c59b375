"""Programs as coroutines: how they start, speak, end and are ended."""

import os
import signal
import sys
import time
from errno import EACCES, ENOENT, ENOEXEC
from pathlib import Path

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import deferLater

from virgate.run.errors import CannotStart, TimedOut
from virgate.run.output import Kept
from virgate.run.process import run, spawn


def sh(text: str) -> list[str]:
    return ["/bin/sh", "-c", text]


def alive(pid: int) -> bool:
    """Does a process of this number exist that is not merely waiting to be reaped?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest_twisted.ensureDeferred
async def test_a_finished_program_gives_its_code_and_both_streams():
    finished = await run(sh("echo out; echo err >&2; exit 3"))
    assert (finished.code, finished.stdout, finished.stderr) == (3, b"out\n", b"err\n")


@pytest_twisted.ensureDeferred
async def test_a_program_killed_by_a_signal_has_the_negative_signal_as_its_code():
    assert (await run(sh("kill -TERM $$"))).code == -signal.SIGTERM


@pytest_twisted.ensureDeferred
async def test_input_larger_than_a_pipe_passes_through():
    data = os.urandom(3 << 20)
    assert (await run(["cat"], input=data, limit=4 << 20)).stdout == data


@pytest_twisted.ensureDeferred
async def test_input_that_nobody_reads_is_dropped():
    assert (await run(sh("exec <&-; exit 0"), input=bytes(1 << 20))).code == 0


@pytest_twisted.ensureDeferred
async def test_without_input_standard_input_is_empty():
    assert (await run(["cat"])).stdout == b""


@pytest_twisted.ensureDeferred
async def test_environment_folder_and_umask_are_the_given_ones(tmp_path):
    finished = await run(sh("/usr/bin/env; pwd; umask"), env={"ONLY": "this"}, cwd=tmp_path, umask=0o027)
    assert b"ONLY=this" in finished.stdout
    assert b"HOME=" not in finished.stdout
    assert finished.stdout.endswith(f"{tmp_path}\n0027\n".encode())


@pytest_twisted.ensureDeferred
async def test_merged_streams_keep_their_order():
    finished = await run(sh("echo 1; echo 2 >&2; echo 3"), merge_stderr=True)
    assert (finished.stdout, finished.stderr) == (b"1\n2\n3\n", b"")


@pytest_twisted.ensureDeferred
async def test_a_missing_program_cannot_start():
    with pytest.raises(CannotStart) as caught:
        await run(["/nowhere/program"])
    assert (caught.value.errno, caught.value.program) == (ENOENT, "/nowhere/program")
    assert str(caught.value) == "Cannot start /nowhere/program: No such file or directory"


@pytest.mark.parametrize(
    ("content", "mode", "errno"),
    [
        (b"no shebang at all\n", 0o755, ENOEXEC),
        (b"#!/nowhere/interpreter\n", 0o755, ENOENT),
        (b"#!/bin/sh\n", 0o644, EACCES),
        (b"", 0o755, ENOEXEC),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_executed_says_why(tmp_path, content, mode, errno):
    script = tmp_path / "script"
    script.write_bytes(content)
    script.chmod(mode)
    with pytest.raises(CannotStart) as caught:
        await run([script])
    assert caught.value.errno == errno


@pytest_twisted.ensureDeferred
async def test_a_nul_in_an_argument_cannot_start():
    with pytest.raises(CannotStart):
        await run(["/bin/echo", "a\0b"])


@pytest_twisted.ensureDeferred
async def test_no_descriptor_is_left_open():
    await run(["true"])
    before = sorted(os.listdir("/proc/self/fd"))
    await run(sh("echo x; echo y >&2"), input=b"z")
    with pytest.raises(CannotStart):
        await run(["/nowhere/program"], input=b"z")
    with pytest.raises(TimedOut):
        await run(["sleep", "60"], timeout=0.05)
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest_twisted.ensureDeferred
async def test_too_much_output_keeps_its_first_and_its_last_half():
    script = "import sys; sys.stdout.write('a' * 5000000); sys.stdout.write('z' * 10)"
    finished = await run([sys.executable, "-c", script], limit=20)
    assert (finished.code, finished.stdout) == (0, b"a" * 10 + b"z" * 10)


@given(st.lists(st.binary(max_size=40)), st.integers(min_value=0, max_value=60))
def test_kept_output_is_all_of_it_or_its_two_ends(pieces, limit):
    kept = Kept(limit)
    for piece in pieces:
        kept.feed(piece)
    whole = b"".join(pieces)
    half = limit // 2
    expected = whole if len(whole) <= limit else whole[:half] + whole[len(whole) - (limit - half) :]
    assert kept.data == expected


@pytest_twisted.ensureDeferred
async def test_a_late_program_is_killed_with_its_whole_group(tmp_path, until):
    began = time.monotonic()
    with pytest.raises(TimedOut) as caught:
        await run(sh(f"sleep 61 & echo $! > {tmp_path}/child; sleep 61"), timeout=0.2)
    assert str(caught.value) == "/bin/sh did not end within 0.2 seconds and was killed"
    child = int((tmp_path / "child").read_text())
    await until(lambda: not alive(child))
    assert time.monotonic() - began < 3


@pytest_twisted.ensureDeferred
async def test_cancelling_kills_the_group():
    started: Deferred[int] = Deferred()

    async def job() -> None:
        async with spawn(sh("echo $$; exec sleep 62")) as child:
            async for _ in child.pieces():
                reactor.callLater(0, started.callback, child.pid)

    running = ensureDeferred(job())
    pid = await started
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    assert not alive(pid)


@pytest_twisted.ensureDeferred
async def test_cancelling_run_itself_kills_too(tmp_path, until):
    running = ensureDeferred(run(sh(f"echo $$ > {tmp_path}/pid; exec sleep 62")))
    await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    assert not alive(int((tmp_path / "pid").read_text()))


@pytest_twisted.ensureDeferred
async def test_a_grandchild_that_holds_the_output_open_does_not_hold_up_the_answer(tmp_path):
    began = time.monotonic()
    finished = await run(sh(f"echo said; sleep 63 & echo $! > {tmp_path}/child"))
    child = int((tmp_path / "child").read_text())
    assert (finished.code, finished.stdout) == (0, b"said\n")
    assert time.monotonic() - began < 2
    assert alive(child), "what a program leaves running on purpose is its own business"
    os.kill(child, signal.SIGKILL)


@pytest_twisted.ensureDeferred
async def test_output_that_waits_in_the_pipe_is_read_even_when_the_reactor_was_busy():
    async with spawn(sh("(sleep 0.1; echo late) & exec true")) as child:
        await deferLater(reactor, 0.1)
        time.sleep(0.4)  # the reactor is busy for longer than the grace
        assert await child.exit_code() == 0
        assert child.stdout == b"late\n"


@pytest_twisted.ensureDeferred
async def test_pieces_come_while_the_program_runs():
    async with spawn(sh("printf '1%%\\r'; read x; printf '2%%\\rrest'"), input=b"go\n") as child:
        assert [piece async for piece in child.pieces("\r")] == ["1%", "2%", "rest"]
        assert await child.exit_code() == 0


@pytest_twisted.ensureDeferred
async def test_a_program_whose_pieces_nobody_takes_waits_and_loses_nothing():
    async with spawn(sh("seq 200000"), limit=1000) as child:
        seen = 0
        async for piece in child.pieces():
            seen += 1
            assert int(piece) == seen
            if seen == 1000:
                await deferLater(reactor, 0.4)
        assert seen == 200000
        assert await child.exit_code() == 0


@pytest_twisted.ensureDeferred
async def test_pieces_left_in_the_pipe_at_the_end_are_still_handed_out():
    async with spawn(sh("seq 2000"), limit=100) as child:
        pieces = child.pieces()
        first = await anext(pieces)
        await deferLater(reactor, 0.5)
        rest = [piece async for piece in pieces]
        assert (first, len(rest), rest[-1]) == ("1", 1999, "2000")


@pytest_twisted.ensureDeferred
async def test_asking_for_the_exit_code_gives_up_the_pieces():
    async with spawn(sh("seq 200000"), limit=1000) as child:
        await anext(child.pieces())
        assert await child.exit_code() == 0


@pytest_twisted.ensureDeferred
async def test_walking_the_pieces_of_a_late_program_raises():
    with pytest.raises(TimedOut):
        async with spawn(sh("echo one; sleep 65"), timeout=0.2) as child:
            assert [piece async for piece in child.pieces()] == ["one"]


@pytest_twisted.ensureDeferred
async def test_broken_text_is_still_text():
    async with spawn(sh("printf '\\377\\n'")) as child:
        assert [piece async for piece in child.pieces()] == ["�"]


@pytest_twisted.ensureDeferred
async def test_the_last_error_is_the_last_line_that_says_something():
    async with spawn(sh("echo first >&2; echo 'second ' >&2; echo >&2")) as child:
        await child.exit_code()
        assert child.last_error == "second"


@pytest_twisted.ensureDeferred
async def test_leaving_the_block_by_an_exception_kills_and_passes_it_on():
    with pytest.raises(ZeroDivisionError):
        async with spawn(["sleep", "66"]) as child:
            pid = child.pid
            raise ZeroDivisionError
    assert not alive(pid)


@pytest_twisted.ensureDeferred
async def test_many_programs_run_at_once():
    running = [ensureDeferred(run(sh(f"sleep 0.1; echo {number}"))) for number in range(20)]
    assert [int((await finished).stdout) for finished in running] == list(range(20))
