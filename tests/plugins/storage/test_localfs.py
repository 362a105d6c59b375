"""The folder type."""

import inspect

import pytest
import pytest_twisted
from contract.storage.types import RecordingHost

from virgate.node.storage.errors import IllegalRemotePath, StorageUnusable
from virgate_plugins.storage import localfs


def test_it_answers_to_its_own_name_only():
    assert localfs.storage_domain_type("localfs") is localfs.LocalFolder
    assert localfs.storage_domain_type("nfs") is None


def test_a_type_is_a_module_of_less_than_80_lines():
    assert len(inspect.getsource(localfs).splitlines()) < 80


@pytest.mark.parametrize("remote", ["", "srv", "/srv/", "//srv", "/srv//a", "/srv/../etc", "/srv/./a"])
def test_only_an_absolute_normal_path_can_hold_a_domain(remote):
    with pytest.raises(IllegalRemotePath):
        localfs.LocalFolder.check_remote(remote)


def test_spaces_and_letters_of_any_script_are_normal():
    localfs.LocalFolder.check_remote("/srv/a b/é")


@pytest.mark.parametrize("remote", ["relative", "/srv/../etc", ""])
@pytest_twisted.ensureDeferred
async def test_a_path_that_leaves_its_place_is_not_connected(tmp_path, remote):
    host = RecordingHost(tmp_path / "dc")
    with pytest.raises(StorageUnusable):
        await localfs.LocalFolder(remote).connect(host)
    assert list((tmp_path / "dc").iterdir()) == []
