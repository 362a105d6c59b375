"""What a guest does reaches the bus: real guests, each a boot sector of a few bytes."""

import socket

import libvirt
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater

HALT = bytes.fromhex("f4 ebfd")
ECHO = bytes.fromhex("baf803 b052 ee bafd03 ec a801 74fb baf803 ec ee ebf1")
"""Says R on the first serial port, then says back what it hears there."""
POWER_OFF = bytes.fromhex("ba0406 b80020 ef") + HALT
RESET_ITSELF = bytes.fromhex("b0fe e664") + HALT
SET_THE_CLOCK = bytes.fromhex("b004 e670 b005 e671") + HALT
START_THE_WATCHDOG = bytes.fromhex("ba4304 b00f ee") + HALT
WRITE_A_SECTOR = bytes.fromhex("31db 8ec3 b80103 b90200 ba8100 cd13") + HALT
"""The second sector of the second disk, by the BIOS."""

SERIAL = "<serial type='pty'/>"


@pytest.fixture
def boot(tmp_path, guest, domains):
    """Starts a guest that runs the given machine code."""

    async def boot(name: str, code: bytes, devices: str = "", paused: bool = False) -> str:
        image = tmp_path / f"{name}.img"
        image.write_bytes(code.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 16))
        disk = f"""<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}'/>
        <target dev='hda' bus='ide'/></disk>"""
        return await domains.create(guest(name, devices=disk + devices), paused=paused)

    return boot


@pytest_twisted.ensureDeferred
async def test_a_guest_that_powers_off_is_told_in_two_steps(boot, heard, domains):
    uuid = await boot("off", POWER_OFF)
    await heard.until("libvirt.lifecycle", uuid=uuid, event="shutdown", detail="guest")
    await heard.until("libvirt.lifecycle", uuid=uuid, event="stopped", detail="shutdown")
    assert await domains.state(uuid) == ("shutoff", "shutdown")


@pytest_twisted.ensureDeferred
async def test_a_guest_that_resets_itself_has_rebooted(boot, heard):
    uuid = await boot("reset", RESET_ITSELF)
    assert await heard.until("libvirt.reboot", uuid=uuid) == {"uuid": uuid}


@pytest_twisted.ensureDeferred
async def test_a_guest_that_sets_its_clock_tells_the_offset(boot, heard):
    uuid = await boot("clock", SET_THE_CLOCK)
    assert isinstance((await heard.until("libvirt.rtc", uuid=uuid))["offset"], int)


@pytest_twisted.ensureDeferred
async def test_a_guest_s_watchdog_tells_what_was_done(boot, heard, domains):
    uuid = await boot("dog", START_THE_WATCHDOG, "<watchdog model='ib700' action='pause'/>")
    assert await heard.until("libvirt.watchdog", uuid=uuid) == {"uuid": uuid, "action": "pause"}
    await heard.until("libvirt.lifecycle", uuid=uuid, event="suspended", detail="watchdog")
    assert await domains.state(uuid) == ("paused", "watchdog")


@pytest_twisted.ensureDeferred
async def test_a_full_disk_pauses_its_guest_and_says_which(boot, heard, domains, libvirtd):
    image = libvirtd.root / "small" / "disk"
    image.parent.mkdir()
    libvirtd.inside("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(image.parent))
    libvirtd.inside("truncate", "-s", "1M", str(image))
    libvirtd.inside("dd", "if=/dev/zero", f"of={image.parent}/filler", "bs=4k", "count=16")
    disk = f"""<disk type='file' device='disk'><driver name='qemu' type='raw' error_policy='enospace'/>
    <source file='{image}'/><target dev='hdb' bus='ide'/><alias name='ua-full'/></disk>"""
    uuid = await boot("full", WRITE_A_SECTOR, disk)
    assert await heard.until("libvirt.io_error", uuid=uuid) == {
        "uuid": uuid,
        "path": str(image),
        "alias": "ua-full",
        "action": "pause",
        "reason": "enospc",
    }
    await heard.until("libvirt.lifecycle", uuid=uuid, event="suspended", detail="ioerror")
    assert await domains.state(uuid) == ("paused", "ioerror")


@pytest_twisted.ensureDeferred
async def test_a_viewer_comes_and_goes(boot, heard, domains, real):
    uuid = await boot("screen", HALT, "<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/>")
    port = int((await domains.xml(uuid)).partition("<graphics type='vnc' port='")[2].partition("'")[0])
    viewer = socket.create_connection(("127.0.0.1", port))
    await heard.until("libvirt.graphics", uuid=uuid, phase="connect", client="127.0.0.1")
    for message in (b"RFB 003.008\n", b"\1", b"\1"):  # version, no authentication, shared
        viewer.recv(64)
        viewer.sendall(message)
    told = await heard.until("libvirt.graphics", uuid=uuid, phase="initialize")
    assert (told["client"], told["server"]) == ("127.0.0.1", "127.0.0.1")
    viewer.close()
    await heard.until("libvirt.graphics", uuid=uuid, phase="disconnect", client="127.0.0.1")


@pytest_twisted.ensureDeferred
async def test_a_block_job_tells_its_steps(boot, heard, real, tmp_path):
    uuid = await boot("copied", HALT, paused=True)
    target = f"<disk type='file'><source file='{tmp_path}/copy.img'/><driver type='raw'/></disk>"

    def copy(connection):
        connection.lookupByUUIDString(uuid).blockCopy("hda", target, flags=libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB)

    await real.call(copy)
    job = {"uuid": uuid, "disk": "hda", "job": "copy"}
    assert await heard.until("libvirt.block_job", **job) == job | {"status": "ready"}
    await real.call(lambda connection: connection.lookupByUUIDString(uuid).blockJobAbort("hda"))
    await heard.until("libvirt.block_job", **job, status="canceled")


class Terminal:
    """The near end of a console."""

    def __init__(self):
        self.text, self.ended = b"", 0

    def received(self, data):
        self.text += data

    def end(self):
        self.ended += 1


@pytest_twisted.ensureDeferred
async def test_a_console_carries_bytes_both_ways(boot, domains, until):
    uuid = await boot("echo", ECHO, SERIAL, paused=True)
    terminal = Terminal()
    console = await domains.open_console(uuid, terminal.received, terminal.end)
    await domains.resume(uuid)
    await until(lambda: terminal.text.endswith(b"R"))
    terminal.text = b""
    for byte in b"hello, guest":
        console.write(bytes([byte]))
        await deferLater(reactor, 0.01)
    await until(lambda: terminal.text == b"hello, guest")
    console.close()
    assert (console.closed, terminal.ended) == (True, 1)
    console.write(b"after the end")


@pytest_twisted.ensureDeferred
async def test_a_console_ends_with_its_machine_and_when_another_takes_it(boot, domains, until):
    uuid = await boot("console", ECHO, SERIAL)
    first, second = Terminal(), Terminal()
    await domains.open_console(uuid, first.received, first.end)
    await domains.open_console(uuid, second.received, second.end)
    await until(lambda: first.ended)
    await domains.destroy(uuid)
    await until(lambda: second.ended)
    assert (first.ended, second.ended) == (1, 1)
