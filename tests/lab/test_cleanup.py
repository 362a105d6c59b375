"""Nothing of a lab remains, whatever happens in it."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab import leftovers
from lab.cleanup import Lab, NotClean
from lab.guests import PROJECT, Console, domain_xml
from lab.hosts import NamespaceHost
from lab.libvirtd import PrivateLibvirtd
from lab.network import Network
from lab.process import run
from lab.servers import IscsiServer, NfsServer, ServerDied
from lab.uml import HostDied, UmlHost, xstate_shim

# A lab with one of everything, that says when it stands and then waits.
EVERYTHING = """
import time
from pathlib import Path
from lab.test_cleanup import make_one_of_everything
from lab.cleanup import Lab
with Lab() as lab:
    make_one_of_everything(lab, Path({cache!r}))
    print(lab.name, flush=True)
    time.sleep(120)
"""


class Broken(Exception):
    """What a failing test raises."""


def make_one_of_everything(lab: Lab, cache: Path) -> None:
    network = Network(lab)
    NfsServer(lab, network, ["data"])
    IscsiServer(lab, network).target("disk", [1 << 30])
    UmlHost(lab, network, "east")
    console = Console(lab.folder / "console.log")
    definition = lab.folder / "guest.xml"
    definition.write_text(domain_xml("left", console.path))
    NamespaceHost(lab, network, "north", cache=cache).libvirtd.virsh("create", str(definition))
    alone = PrivateLibvirtd(lab.folder / "alone", cache=cache)
    lab.undo(alone.stop)
    alone.start().virsh("create", str(definition))
    assert {word.split()[0] for word in leftovers.find(lab.name)} == {"process", "network", "loop", "folder"}


def test_a_server_that_dies_by_itself_is_told() -> None:
    with pytest.raises(ServerDied, match="nfs died by itself"), Lab() as own:
        server = NfsServer(own, Network(own), ["data"])
        server.stop()
        server.start()
        with open(os.pidfd_open(server.pid)) as life:
            os.kill(server.pid, signal.SIGSEGV)
            select.select([life], [], [], 10)
    assert leftovers.find(own.name) == []


def test_a_failing_test_leaves_nothing(guest: Path, libvirt_cache: Path) -> None:
    lab = Lab()
    with pytest.raises(Broken), lab:
        make_one_of_everything(lab, libvirt_cache)
        raise Broken
    assert leftovers.find(lab.name) == []


def test_a_host_that_does_not_boot_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab()
    shim = xstate_shim()
    monkeypatch.setattr("lab.uml.xstate_shim", lambda: shim)
    monkeypatch.setattr("lab.uml.HERE", Path("/nonexistent"))
    with pytest.raises(HostDied, match="console"), lab:
        UmlHost(lab, Network(lab), "east")
    assert leftovers.find(lab.name) == []


def test_what_a_killed_run_left_is_swept_by_the_next(guest: Path, libvirt_cache: Path) -> None:
    program = [sys.executable, "-c", EVERYTHING.format(cache=str(libvirt_cache))]
    with subprocess.Popen(program, cwd=PROJECT / "tests", stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        name = owner.stdout.readline().strip()
        assert name.startswith(leftovers.PREFIX)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    assert leftovers.find(name)
    with Lab():
        assert leftovers.find(name) == []


def test_a_living_run_is_not_swept() -> None:
    with Lab() as mine:
        namespace = mine.namespace("kept")
        assert mine.name not in leftovers.sweep()
        with Lab() as other:
            assert other.name != mine.name
        assert namespace in run(["ip", "netns", "list"]).stdout


def test_two_labs_use_the_same_names_and_addresses_at_once() -> None:
    with Lab() as one, Lab() as other:
        hosts = [NamespaceHost(lab, Network(lab), "north") for lab in (one, other)]
        assert len({host.address for host in hosts}) == 1
        for host in hosts:
            host.run("touch", f"/run/{host.lab.name}")
            assert len(host.run("ls", "/run").stdout.split()) == 1


def test_what_escaped_the_stack_is_ended_and_told() -> None:
    lab = Lab()
    with pytest.raises(NotClean, match=r"process \d+ \(sleep\)"), lab:
        run(["ip", "netns", "add", f"{lab.name}-forgotten"])
        escaped = subprocess.Popen(["sleep", "60"], env={**os.environ, "VIRGATE_LAB": lab.name})
    assert escaped.wait(5) == -signal.SIGKILL
    assert leftovers.find(lab.name) == []


def test_everything_is_undone_although_one_step_of_it_fails() -> None:
    def fail() -> None:
        raise Broken

    lab = Lab()
    with pytest.raises(Broken), lab:
        lab.namespace("first")
        lab.undo(fail)
        lab.namespace("second")
    assert leftovers.find(lab.name) == []
