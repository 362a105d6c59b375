"""A machine's screen: a password that ends, and where to look."""

import os
import stat
from pathlib import Path

import pytest

from virgate.cli import screen

VM = "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01"


@pytest.fixture
def shown(daemon):
    """Sets what screens the machine has."""

    def set_displays(*displays):
        daemon.machines((VM, "one", "Up"))
        daemon.answers["getVmStats"] = {"statsList": [{"displayInfo": list(displays)}]}
        daemon.answers["vmUpdateDevice"] = {}

    return set_displays


def display(kind="vnc", port="5901", tls="-1", address="0"):
    return {"type": kind, "port": port, "tlsPort": tls, "ipAddress": address}


def test_a_screen_gets_a_new_password_and_is_told(daemon, shown, run):
    shown(display("spice", "5900"), display())
    told = run("vm", "vnc", "one", "--seconds", "30", json_=True)
    (_, vm, ticket) = next(call for call in daemon.asked if call[0] == "vmUpdateDevice")
    assert (vm, ticket["graphicsType"], ticket["ttl"], ticket["existingConnAction"]) == (VM, "vnc", 30, "disconnect")
    assert told["password"] == ticket["password"] and len(ticket["password"]) == screen.PASSWORD
    assert (told["host"], told["port"]) == ("127.0.0.1", "5901")


def test_no_two_passwords_are_alike(daemon, shown, run):
    shown(display())
    told = {run("vm", "vnc", "one", json_=True)["password"] for _ in range(5)}
    assert len(told) == 5


def test_a_screen_of_an_address_of_its_own_is_looked_for_there(shown, run):
    shown(display(address="10.0.0.7", port="-1", tls="5902", kind="spice"))
    assert "10.0.0.7 port 5902 (TLS)" in run("vm", "vnc", "one", "--kind", "spice").output


@pytest.mark.parametrize("displays", [[], [display("spice")], [display(port="-1")]])
def test_a_machine_without_such_a_screen_says_so_and_keeps_its_password(daemon, shown, run, displays):
    shown(*displays)
    assert "no VNC screen" in run("vm", "vnc", "one", code=1).output
    assert "vmUpdateDevice" not in daemon.verbs()


def test_without_a_viewer_nothing_is_changed(daemon, shown, run, monkeypatch):
    shown(display())
    monkeypatch.setattr(screen.shutil, "which", lambda name: None)
    assert "virt-viewer" in run("vm", "vnc", "one", "--open", code=1).output
    assert "vmUpdateDevice" not in daemon.verbs()


def test_the_viewer_reads_the_password_from_a_file_that_only_its_owner_can_read(shown, run, monkeypatch):
    shown(display())
    seen = {}

    def become(program, name, path):
        seen.update(argv=(program, name), text=Path(path).read_text(), mode=stat.S_IMODE(os.stat(path).st_mode))
        Path(path).unlink()

    monkeypatch.setattr(screen.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(screen.os, "execlp", become)
    told = run("vm", "vnc", "one", "--open", json_=True)
    assert seen["argv"] == (screen.VIEWER, screen.VIEWER) and seen["mode"] == 0o600
    assert f"password={told['password']}\n" in seen["text"] and "delete-this-file=1" in seen["text"]


def test_a_name_cannot_add_lines_to_the_viewer_s_file():
    text = screen.connection_file("a\n[x]\nhost=evil", "vnc", "here", display(), "p")
    assert "host=evil" not in text.split("\n")
