"""The device: a pair of terminals stands for it, whose other side is the host."""

import os
import select
import tty

import pytest
from guest.test_loop import loop  # noqa: F401 (a fixture)

from virgate_guest import port as ports
from virgate_guest.port import Port, choose


class Device:
    """A link to a terminal; `host` is the descriptor of the other side."""

    def __init__(self, path):
        self.path = path
        self.host = self.guest = -1

    def plug(self):
        self.host, self.guest = os.openpty()
        tty.setraw(self.guest)
        os.symlink(os.ttyname(self.guest), self.path)

    def unplug(self):
        os.unlink(self.path)
        for end in (self.host, self.guest):
            os.close(end)

    def read(self):
        ready, _, _ = select.select([self.host], [], [], 5)
        return os.read(self.host, 65536) if ready else b""


@pytest.fixture
def device(tmp_path):
    device = Device(tmp_path / "port")
    device.plug()
    yield device
    if os.path.lexists(device.path):
        device.unplug()


class Heard:
    def __init__(self, port):
        self.news = []
        port.connected = lambda: self.news.append("connected")
        port.lost = lambda: self.news.append("lost")
        port.line = self.news.append


@pytest.fixture
def port(loop, device, monkeypatch):  # noqa: F811
    monkeypatch.setattr(ports, "LOOK", 0.01)
    monkeypatch.setattr(ports, "FIRST_PAUSE", 0.01)
    port = Port(loop, lambda: str(device.path) if os.path.lexists(device.path) else None)
    port._pause = 0.01
    yield port
    port.close()


def until(loop, true):  # noqa: F811
    while not true():
        loop.turn()


def test_lines_go_both_ways(loop, port, device):  # noqa: F811
    heard = Heard(port)
    port.open()
    port.send(b'{"a": 1}\n')
    assert device.read() == b'{"a": 1}\n'
    os.write(device.host, b"one\ntw")
    until(loop, lambda: len(heard.news) == 2)
    os.write(device.host, b"o\n")
    until(loop, lambda: len(heard.news) == 3)
    assert heard.news == ["connected", b"one", b"two"]


def test_nothing_is_kept_for_a_host_that_is_not_there(port, device):
    port.send(b"early\n")
    port.open()
    port.send(b"late\n")
    assert device.read() == b"late\n"


def test_a_device_that_goes_and_comes_is_opened_again(loop, port, device):  # noqa: F811
    heard = Heard(port)
    port.open()
    device.unplug()
    until(loop, lambda: "lost" in heard.news)
    device.plug()
    until(loop, lambda: heard.news.count("connected") == 2)
    port.send(b"again\n")
    assert device.read() == b"again\n"


def test_without_a_device_it_waits_longer_and_longer(loop, device):  # noqa: F811
    device.unplug()
    port = Port(loop, lambda: None)
    for pause in (1, 2, 4, 8, 16, 30, 30):
        assert port._pause == pause
        port.open()
    port.close()


def test_a_host_that_is_away_costs_no_turns_of_the_loop(loop, port, device, monkeypatch):  # noqa: F811
    monkeypatch.setattr(ports, "LOOK", 1000)
    heard = Heard(port)
    port.open()
    os.close(device.host)
    until(loop, lambda: "lost" in heard.news)
    rung = []
    loop.after(0.2, lambda: rung.append(True))
    turns = 0
    while not rung:
        loop.turn()
        turns += 1
    device.host = os.open(os.devnull, os.O_RDONLY)
    assert turns <= 3


def test_what_a_host_does_not_read_is_bounded(port, device):
    Heard(port)
    port.open()
    for _ in range(300):
        port.send(b"x" * 9999 + b"\n")
    assert port._size <= ports.BACKLOG


def test_a_host_gets_no_tail_of_a_line_that_another_began(loop, port, device):  # noqa: F811
    heard = Heard(port)
    port.open()
    port.send(b"x" * 200000 + b"\n")
    assert port._cut
    port._sleep()
    until(loop, lambda: heard.news.count("connected") == 2)
    port.send(b"whole\n")
    found = b""
    while not found.endswith(b"whole\n"):
        found += device.read()
        loop.after(0.01, lambda: None)
        loop.turn()
    assert found.endswith(b"x\nwhole\n")


def test_ports_are_found_by_name_also_without_links(tmp_path):
    devices = tmp_path / "devices"
    for device, name in (("vport1p1", "org.qemu.guest_agent.0"), ("vport1p2", "ovirt-guest-agent.0")):
        (devices / device).mkdir(parents=True)
        (devices / device / "name").write_text(name + "\n")
    assert choose(str(tmp_path / "nowhere/"), str(devices)) == "/dev/vport1p2"
    assert choose(str(tmp_path / "nowhere/"), str(tmp_path / "none")) is None
