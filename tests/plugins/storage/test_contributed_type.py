"""The example of a storage type from outside keeps the contract that the built-in ones keep."""

import importlib.util
from pathlib import Path

import pytest
import pytest_twisted
from contract.storage.types import RecordingHost, StorageTypeContract

from virgate.node.storage.errors import IllegalRemotePath

PACKAGE = Path(__file__).parents[3] / "contrib" / "examples" / "bindmount"
MODULE = PACKAGE / "virgate_example_bindmount.py"


@pytest.fixture(scope="module")
def plugin():
    spec = importlib.util.spec_from_file_location("virgate_example_bindmount", MODULE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestBindMount(StorageTypeContract):
    @pytest.fixture
    def type(self, plugin):
        return plugin.BindMount

    @pytest.fixture
    def parameters(self):
        return {"id": "1", "connection": "/net/nas/data"}

    @pytest.fixture
    def host(self, tmp_path):
        return RecordingHost(tmp_path / "data-center")


def test_it_is_found_by_name_and_number(plugin):
    assert plugin.storage_domain_type("bindmount") is plugin.storage_domain_type("120") is plugin.BindMount
    assert plugin.storage_domain_type("nfs") is None


@pytest.mark.parametrize("remote", ["/etc", "/net", "/net/../etc", "/net/a/", "net/a", "", "/network/a"])
@pytest_twisted.ensureDeferred
async def test_only_folders_that_the_administrator_allows_are_used(plugin, tmp_path, remote):
    host = RecordingHost(tmp_path / "dc")
    with pytest.raises(IllegalRemotePath):
        await plugin.BindMount(remote).connect(host)
    assert host.mounts == []


@pytest_twisted.ensureDeferred
async def test_it_shows_the_folder_by_a_bind_mount(plugin, tmp_path):
    host = RecordingHost(tmp_path / "dc")
    await plugin.BindMount("/net/nas/data").connect(host)
    assert host.mounts == [("/net/nas/data", "none", "bind")]
