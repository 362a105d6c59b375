"""Servers of volumes over the life and death of the daemon."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from real.whole.house import BLANK, new_id


@pytest.fixture
def house(build):
    """In a folder with a short name, for its sockets."""
    home = Path(tempfile.mkdtemp(prefix="nbd-"))
    made = build(home)
    yield made
    made.close()
    shutil.rmtree(home)


def read(url):
    done = subprocess.run(["qemu-io", "-f", "raw", "-c", "read -P 5 0 64k", url], capture_output=True, text=True)
    return done.returncode == 0 and "failed" not in done.stdout


def serving(url):
    """The processes that have the socket of a url in their command line."""
    socket = url.removeprefix("nbd:unix:").encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            found += [entry.name] if socket in words else []
    return found


def test_no_server_outlives_its_daemon_and_the_next_daemon_starts_it_again(house):
    house.start()
    house.make_pool()
    disk = house.make_volume()
    address = {"sd_id": disk["domainID"], "img_id": disk["imageID"], "vol_id": disk["volumeID"]}
    server = new_id()

    def begin():
        house.ask("prepareImage", BLANK, *(address[name] for name in ("sd_id", "img_id", "vol_id")))
        return house.ask("startNbdServer", server, address)["result"]

    url = begin()
    subprocess.run(["qemu-io", "-f", "raw", "-c", "write -P 5 0 64k", url], check=True, capture_output=True)
    assert (read(url), len(serving(url))) == (True, 1)
    house.kill()
    ends = time.monotonic() + 10
    while serving(url):
        assert time.monotonic() < ends
        time.sleep(0.02)
    house.start()
    house.rejoin()
    house.ask("stopNbdServer", server)
    assert (begin(), read(url)) == (url, True)
    house.end()
    assert (serving(url), Path(url.removeprefix("nbd:unix:")).exists()) == ([], False)
