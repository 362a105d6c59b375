"""Scripts that hang, flood, daemonize or are cancelled; and what is left of them afterwards."""

import errno
import os
import signal
import tempfile
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred

from virgate.hookscripts import datafile
from virgate.hookscripts.runner import KEPT
from virgate.hookspecs.documents import JsonDocument, Subject, XmlDocument


def run(runner, point="p", document=None, **params):
    return runner.run(point, Subject("V"), document, params)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files of this test alone."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest_twisted.ensureDeferred
async def test_a_script_that_hangs_is_killed_with_its_children_and_counts_as_failed(tree, runner_of):
    tree.write("p/1", f"sleep 60 & echo $! > {tree.root}/pid; echo before >&2; wait")
    tree.write("p/2", "exit 0")
    verdict = await run(runner_of(timeout=0.3))
    late, after = verdict.ended
    assert (late.code, late.stderr, after.code) == (-signal.SIGKILL, "before", 0)
    assert late.note == "did not end within 0.3 s and was killed with everything it started"
    assert 0.3 <= late.seconds < 3
    assert not is_alive(int((tree.root / "pid").read_text()))


@pytest_twisted.ensureDeferred
async def test_no_timeout_lets_a_script_take_its_time(tree, runner_of):
    tree.write("p/1", "sleep 0.2")
    (ended,) = (await run(runner_of(timeout=0))).ended
    assert ended.code == 0


@pytest_twisted.ensureDeferred
async def test_megabytes_of_output_are_taken_and_cut(tree, runner):
    tree.write("p/1", "echo first >&2; head -c 5000000 /dev/zero | tr '\\0' x | tee /dev/stderr; echo last >&2; exit 1")
    (ended,) = (await run(runner)).ended
    assert (ended.code, len(ended.stderr) <= KEPT) == (1, True)
    assert ended.stderr.startswith("first")
    assert ended.stderr.endswith("last")


@pytest_twisted.ensureDeferred
async def test_a_script_may_leave_a_child_that_holds_its_output(tree, runner):
    tree.write("p/1", f"sleep 60 & echo $! > {tree.root}/pid")
    (ended,) = (await run(runner)).ended
    pid = int((tree.root / "pid").read_text())
    try:
        assert ended.code == 0
        assert ended.seconds < 5
        assert is_alive(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


@pytest_twisted.ensureDeferred
async def test_output_that_is_no_text_is_readable_all_the_same(tree, runner):
    tree.write("p/1", "printf 'a\\377b\\n' >&2; exit 1")
    assert (await run(runner)).ended[0].stderr == "a\ufffdb"


@pytest_twisted.ensureDeferred
async def test_a_script_gets_its_path_alone_an_empty_input_and_the_root_folder(tree, runner):
    script = tree.write("p/1", f'echo "$# $0 $(pwd) [$(cat)]" > {tree.root}/seen')
    await run(runner)
    assert (tree.root / "seen").read_text() == f"0 {script} / []\n"


@pytest_twisted.ensureDeferred
async def test_only_the_three_streams_are_open(tree, runner):
    extra = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(extra, True)
    tree.write("p/1", f"ls /proc/self/fd | sort -n | tr '\\n' ' ' > {tree.root}/seen")
    await run(runner)
    os.close(extra)
    assert (tree.root / "seen").read_text().split()[:3] == ["0", "1", "2"]
    assert str(extra) not in (tree.root / "seen").read_text().split()[4:]


@pytest_twisted.ensureDeferred
async def test_scripts_share_one_file_which_is_gone_afterwards(tree, runner, temporary):
    tree.write("p/1", 'echo "<b/>" > "$_hook_domxml"')
    tree.write("p/2", f'cp "$_hook_domxml" {tree.root}/seen; echo "$_hook_json" >> {tree.root}/seen; exit 2')
    verdict = await run(runner, document=XmlDocument("<a/>"))
    assert (tree.root / "seen").read_text() == "<b/>\n\n"
    assert verdict.text == "<b/>\n"
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("act", ['rm "$f"', 'rm "$f"; mkdir -p "$f/x"', 'rm "$f"; mkfifo "$f"', "kill -9 $$"])
@pytest_twisted.ensureDeferred
async def test_nothing_is_left_whatever_a_script_does_to_the_file(tree, runner, temporary, act):
    tree.write("p/1", f"f=$_hook_domxml; {act}")
    await run(runner, document=XmlDocument("<a/>"))
    assert list(temporary.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_cancelling_kills_the_script_and_removes_the_file(tree, runner, temporary):
    os.mkfifo(tree.root.parent / "started")
    tree.write("p/1", f"echo $$ > {tree.root.parent}/started; exec sleep 60")
    going = Deferred.fromCoroutine(run(runner, document=XmlDocument("<a/>")))
    pid = int((tree.root.parent / "started").read_text())
    going.cancel()
    with pytest.raises(CancelledError):
        await going
    assert not is_alive(pid)
    assert list(temporary.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_without_scripts_no_file_is_made(runner, temporary, monkeypatch):
    monkeypatch.setattr(datafile.tempfile, "mkstemp", lambda **_: pytest.fail("a file was made"))
    assert await run(runner, document=XmlDocument("<a/>")) is await run(runner)


@pytest_twisted.ensureDeferred
async def test_a_full_disk_is_told_and_nothing_runs(tree, runner, monkeypatch):
    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    tree.write("p/1", f"touch {tree.root}/ran")
    monkeypatch.setattr(datafile.tempfile, "mkstemp", full)
    verdict = await run(runner, document=XmlDocument("<a/>"))
    assert verdict.damage == "the data file cannot be written: No space left on device"
    assert not (tree.root / "ran").exists()


@pytest_twisted.ensureDeferred
async def test_a_document_without_bounds_is_refused(tree, runner, monkeypatch):
    monkeypatch.setattr(datafile, "LIMIT", 1000)
    tree.write("p/1", 'head -c 1001 /dev/zero > "$_hook_domxml"')
    verdict = await run(runner, document=XmlDocument("<a/>"))
    assert verdict.damage == "the scripts left a document of 1001 bytes, more than 1000"


@pytest_twisted.ensureDeferred
async def test_an_environment_too_big_for_the_kernel_is_a_failure_not_a_crash(tree, runner):
    tree.write("p/1", "exit 0")
    (ended,) = (await run(runner, huge="x" * (1 << 22))).ended
    assert (ended.code, ended.note) == (126, "cannot be run: Argument list too long")


@pytest_twisted.ensureDeferred
async def test_a_value_is_named_by_its_own_variable(tree, runner):
    tree.write("p/1", f'echo "$_hook_domxml" > {tree.root}/seen; cat "$_hook_json" >> {tree.root}/seen')
    await run(runner, document=JsonDocument({"ü": 1}))
    assert (tree.root / "seen").read_text() == '\n{"\\u00fc": 1}'
