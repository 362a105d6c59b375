"""What is listed gets killed, as root: nobody but our own may ever be listed."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import leftovers
from lab.cleanup import Lab
from lab.guests import PROJECT, domain_xml
from lab.owned import end_processes, kill_found, own_line, processes_of
from lab.process import run

ENDING = "import sys; from pathlib import Path; from lab.owned import end_processes; end_processes(Path(sys.argv[1]))"
LEAK = "mkdir -p /run/libvirt; mount --bind {run} /run/libvirt; {then}"


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a program that says a line when it is ready; it is killed after the test."""
    started = []

    def start(*argv: str) -> subprocess.Popen[str]:
        started.append(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout is not None
        started[-1].stdout.readline()
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def end_inside(script: str, root: Path) -> subprocess.CompletedProcess[str]:
    """Ends the processes of a folder, from a namespace in which SCRIPT ran before."""
    shell = ["unshare", "--mount", "sh", "-ec", script, "sh", sys.executable, "-c", ENDING, str(root)]
    return subprocess.run(shell, cwd=PROJECT / "tests", capture_output=True, text=True, timeout=30, check=False)


def test_only_marked_processes_and_those_of_a_private_libvirtd_are_ever_listed(
    lab: Lab, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """What is listed gets killed. A mount that the whole machine sees must not make the machine the lab's."""
    run_folder, settings = lab.subfolder("libvirt/run"), lab.subfolder("libvirt/etc") / "libvirtd.conf"
    settings.touch()
    seen_by_all = lab.subfolder("seen by all")
    run(["mount", "-t", "tmpfs", "tmpfs", str(seen_by_all)])
    lab.undo(run, ["umount", str(seen_by_all)])
    marked = lab.daemon("marked", ["sleep", "60"], graceful=False)
    start("unshare", "--mount", "sh", "-c", "echo; exec sleep 60")
    inside = start("unshare", "--mount", "sh", "-c", LEAK.format(run=run_folder, then="echo; exec sleep 60"))

    assert set(leftovers.processes(lab.name)) == {marked.pid, inside.pid}


def test_nobody_is_killed_when_the_folder_s_mounts_are_seen_by_the_killer_too(
    lab: Lab, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """As when the mounts leaked to the machine: then every namespace made since shows the folder."""
    root = lab.folder / "libvirt"
    folder = lab.subfolder("libvirt/run")
    bystander = start("unshare", "--mount", "sh", "-c", LEAK.format(run=folder, then="echo; exec sleep 60"))
    refused = end_inside(LEAK.format(run=folder, then='"$@"'), root)
    assert f"NotApart: {folder} is seen at /run/libvirt" in refused.stderr
    assert bystander.poll() is None
    assert end_inside('"$@"', root).returncode == 0
    assert bystander.wait(5) == -signal.SIGKILL, "it looked like one of ours, and would have been killed"


def test_nobody_is_killed_when_an_ancestor_of_the_killer_looks_like_one_of_ours(
    lab: Lab, start: Callable[..., subprocess.Popen[str]]
) -> None:
    folder = lab.subfolder("libvirt/run")
    bystander = start("unshare", "--mount", "sh", "-c", LEAK.format(run=folder, then="echo; exec sleep 60"))
    apart = """unshare --mount sh -ec 'umount /run/libvirt; "$@"' sh "$@"; exit $?"""
    refused = end_inside(LEAK.format(run=folder, then=apart), lab.folder / "libvirt")
    assert "NotApart" in refused.stderr
    assert "which started us" in refused.stderr
    assert bystander.poll() is None


def test_a_pid_that_became_a_stranger_s_is_let_go(start: Callable[..., subprocess.Popen[str]]) -> None:
    stranger = start("sh", "-c", "echo; exec sleep 60")
    answers = iter([[stranger.pid], [], []])
    assert kill_found(lambda: next(answers)) == []
    assert stranger.poll() is None


def test_what_does_not_end_is_told_after_a_while() -> None:
    ours = os.posix_spawnp("true", ["true"], os.environ)
    try:
        assert kill_found(lambda: [ours], patience=0) == [ours]  # ended, but not buried
    finally:
        os.waitpid(ours, 0)


def test_who_started_us_is_spared_up_to_process_1() -> None:
    assert {1, os.getpid(), os.getppid()} <= own_line()


def test_a_folder_in_which_nothing_was_started_has_no_processes(lab: Lab) -> None:
    end_processes(lab.folder)
    assert processes_of(lab.folder) == []


def test_a_libvirtd_ends_with_its_owner_whatever_way(lab: Lab, libvirt_cache: Path, guest: Path) -> None:
    definition = lab.folder / "orphan.xml"
    definition.write_text(domain_xml("orphan", lab.folder / "console.log"))
    root = lab.folder / "l"
    program = f"""
import time
from pathlib import Path
from lab.libvirtd import PrivateLibvirtd
libvirtd = PrivateLibvirtd(Path({str(root)!r}), cache=Path({str(libvirt_cache)!r})).start()
libvirtd.virsh("create", {str(definition)!r})
print(libvirtd.guest("orphan"), flush=True)
time.sleep(60)
"""
    argv = [sys.executable, "-c", program]
    with subprocess.Popen(argv, cwd=PROJECT / "tests", stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        held = [os.pidfd_open(int(owner.stdout.readline()))]
        held += [os.pidfd_open(pid) for pid in processes_of(root)]
        owner.kill()
    assert len(held) >= 5  # guest, libvirtd, virtlogd, supervisor
    for pidfd in held:
        assert select.select([pidfd], [], [], 10)[0], "it has not ended"
        os.close(pidfd)
    assert processes_of(root) == []
