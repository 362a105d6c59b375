"""One libvirtd for all tests of this folder, a daemon per module for most, one of its own for those that kill it."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from lab.libvirtd import PrivateLibvirtd
from real.whole.house import GUEST, House

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def libvirtd():
    root = Path(tempfile.mkdtemp(prefix="whole-"))  # a socket's path must be short
    try:
        with PrivateLibvirtd(root, cache=PROJECT / "build/lab/libvirt-cache") as running:
            yield running
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def build(libvirtd):
    """Makes houses; takes them down."""
    built = []

    def make(home, **environment):
        for name in ("plugins.d", "hooks.d"):
            (home / name).mkdir(exist_ok=True)
        built.append(House(home, libvirtd, environment))
        return built[-1]

    yield make
    for house in built:
        house.close()


@pytest.fixture
def own(build, tmp_path):
    """A house for one test, not started."""
    return build(tmp_path)


@pytest.fixture(scope="module")
def shared(libvirtd, tmp_path_factory):
    """A house with a pool, running, for all tests of a module."""
    home = tmp_path_factory.mktemp("house")
    for name in ("plugins.d", "hooks.d"):
        (home / name).mkdir()
    house = House(home, libvirtd)
    try:
        house.start()
        house.make_pool()
        yield house
    finally:
        house.close()


@pytest.fixture
def house(shared):
    """The module's house, without scripts when the test is over, and proven to go on."""
    yield shared
    shared.no_scripts()
    machines = {one["vmId"]: one["status"] for one in shared.ask("list")["vmList"]}
    shared.unplug(*(vm for vm, status in machines.items() if status in ("Up", "Paused")))
    for vm in machines:
        shared.ask("destroy", vm)
    shared.goes_on()
    assert not set(shared.made) & set(shared.defined())
    assert shared.prepared() == []


@pytest.fixture(scope="session")
def guest():
    """The folder with a guest's kernel and initrd."""
    subprocess.run([PROJECT / "contrib/guest/build.sh"], check=True, timeout=300)
    return GUEST
