"""The built-in storage types and lease managers keep their contracts."""

import pytest
from contract.storage.initiator import Initiator
from contract.storage.leases import LeaseManagerContract
from contract.storage.types import BlockTypeContract, RecordingHost, StorageTypeContract

from virgate.hookspecs.leases import LeaseSpace
from virgate_plugins.leases.local import LocalLease
from virgate_plugins.storage.fcp import FibreChannel
from virgate_plugins.storage.glusterfs import GlusterVolume
from virgate_plugins.storage.iscsi.target import Iscsi
from virgate_plugins.storage.localfs import LocalFolder
from virgate_plugins.storage.nfs import NfsExport
from virgate_plugins.storage.posixfs import PosixFileSystem


class TestLocalFolder(StorageTypeContract):
    @pytest.fixture
    def type(self):
        return LocalFolder

    @pytest.fixture
    def parameters(self, tmp_path):
        (tmp_path / "place").mkdir()
        return {"id": "1", "connection": str(tmp_path / "place")}

    @pytest.fixture
    def host(self, tmp_path):
        return RecordingHost(tmp_path / "data-center")


class Mounted(StorageTypeContract):
    @pytest.fixture
    def host(self, tmp_path):
        return RecordingHost(tmp_path / "data-center")


class TestNfsExport(Mounted):
    @pytest.fixture
    def type(self):
        return NfsExport

    @pytest.fixture
    def parameters(self):
        return {"id": "1", "connection": "nas:/exports/my_data"}


class TestPosixFileSystem(Mounted):
    @pytest.fixture
    def type(self):
        return PosixFileSystem

    @pytest.fixture
    def parameters(self):
        return {"id": "1", "connection": "mon1:6789:/cephfs", "vfs_type": "ceph"}


class TestGlusterVolume(Mounted):
    @pytest.fixture
    def type(self):
        return GlusterVolume

    @pytest.fixture
    def parameters(self):
        return {"id": "1", "connection": "nas:/volume"}


class TestIscsi(BlockTypeContract):
    @pytest.fixture
    def type(self):
        return Iscsi

    @pytest.fixture
    def parameters(self):
        return {"id": "1", "connection": "10.0.0.1", "port": "3260", "iqn": "iqn.2012-01.lab.virgate:pool"}

    @pytest.fixture
    def host(self, tmp_path, monkeypatch):
        Initiator(monkeypatch)
        return RecordingHost(tmp_path / "data-center")

    @pytest.mark.parametrize("key", ["connection", "port", "iqn"])
    def test_a_missing_key_is_a_key_error(self, type, parameters, key):
        del parameters[key]
        with pytest.raises(KeyError, match=key):
            type.read(parameters)


class TestFibreChannel(BlockTypeContract):
    @pytest.fixture
    def type(self):
        return FibreChannel

    @pytest.fixture
    def parameters(self):
        return {"id": "1"}

    @pytest.fixture
    def host(self, tmp_path):
        return RecordingHost(tmp_path / "data-center")


class TestLocalLease(LeaseManagerContract):
    @pytest.fixture
    def type(self):
        return LocalLease

    @pytest.fixture
    def space(self, tmp_path):
        for name in ("ids", "leases"):
            (tmp_path / name).write_bytes(b"")
        return LeaseSpace("5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e2001", tmp_path / "ids", tmp_path / "leases")
