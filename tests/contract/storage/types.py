"""What every storage type must do: `StorageTypeContract` for files, `BlockTypeContract` for disks. Subclass in a test
module of yours and give the three fixtures:

class TestFolder(StorageTypeContract):
    @pytest.fixture
    def type(self): return LocalFolder
    @pytest.fixture
    def parameters(self, tmp_path): return {"id": "1", "connection": str(tmp_path)}
    @pytest.fixture
    def host(self, tmp_path): return RecordingHost(tmp_path / "data-center")
"""

from pathlib import Path

import pytest_twisted

from virgate.errors import VirgateError
from virgate.hookspecs.storage import Kind


class RecordingHost:
    """A `StorageHost` that keeps its links in a folder and checks nothing but existence.

    What is mounted is a folder with a file that says how; `mount` notes (remote, file system, options) in `mounts`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.mounts: list[tuple[str, str, str]] = []
        self.rescans = 0
        root.mkdir()

    def mount_point(self, remote: str, *, below: str = "") -> Path:
        return self.root / below / remote.replace("_", "__").replace("/", "_")

    async def mount(self, remote: str, file_system: str, options: str, *, below: str = "") -> None:
        self.mounts.append((remote, file_system, options))
        point = self.mount_point(remote, below=below)
        point.mkdir(parents=True, exist_ok=True)
        (point / "mounted").write_text(f"{file_system} {options}")

    async def unmount(self, remote: str, *, below: str = "") -> None:
        point = self.mount_point(remote, below=below)
        if point.exists():
            (point / "mounted").unlink()
            point.rmdir()

    def mounted(self, remote: str, *, below: str = "") -> bool:
        return (self.mount_point(remote, below=below) / "mounted").exists()

    async def rescan(self) -> None:
        self.rescans += 1

    async def check_folder(self, path: Path) -> None:
        if not path.is_dir():
            raise VirgateError(str(path))

    async def link(self, target: Path, remote: str) -> None:
        link = self.mount_point(remote)
        link.unlink(missing_ok=True)
        link.symlink_to(target)

    async def unlink(self, remote: str) -> None:
        self.mount_point(remote).unlink(missing_ok=True)


class AnyTypeContract:
    """What both kinds have in common."""

    def test_it_has_an_upper_case_name_a_number_and_a_kind(self, type):
        assert type.name == type.name.upper() and type.name.isidentifier()
        assert type.number in (1, 2, 3, 4, 6, 7) or type.number >= 100
        assert isinstance(type.kind, Kind)

    def test_it_names_a_lease_manager_for_every_version(self, type):
        assert all(type.lease(version) for version in (0, 2, 3, 4, 5))

    def test_keys_that_do_not_apply_are_passed_over(self, type, parameters):
        extra = {"user": "", "password": "", "iqn": "", "mnt_options": "", "vfs_type": "", **parameters}
        assert type.read(extra) is not None


class StorageTypeContract(AnyTypeContract):
    """Types of kind FILE."""

    def test_a_missing_key_is_a_key_error(self, type, parameters):
        for key in set(parameters) - {"id"}:
            try:
                type.read({other: value for other, value in parameters.items() if other != key})
            except KeyError:
                return
        raise AssertionError("no key is required")

    @pytest_twisted.ensureDeferred
    async def test_connecting_twice_is_as_connecting_once(self, type, parameters, host):
        connection = type.read(parameters)
        await connection.connect(host)
        await connection.connect(host)
        assert host.mount_point(parameters["connection"], below=getattr(type, "below", "")).is_dir()

    @pytest_twisted.ensureDeferred
    async def test_disconnecting_ends_it_and_may_be_repeated(self, type, parameters, host):
        connection = type.read(parameters)
        await connection.connect(host)
        await connection.disconnect(host)
        await connection.disconnect(host)
        assert not host.mount_point(parameters["connection"], below=getattr(type, "below", "")).exists()

    def test_values_can_be_compared_and_counted(self, type, parameters):
        """The last user of a connection ends it: equal values are the same connection."""
        first, second = type.read(parameters), type.read(dict(parameters))
        assert first == second and len({first, second}) == 1
        assert type.read({**parameters, "mnt_options": "ro"}) == first, "options do not tell places apart"

    def test_its_domains_have_sectors_that_exist(self, type):
        assert set(getattr(type, "block_sizes", (512,))) <= {512, 4096}

    @pytest_twisted.ensureDeferred
    async def test_a_quick_look_says_whether_it_is_connected(self, type, parameters, host):
        connection = type.read(parameters)
        look = getattr(connection, "connected", None)
        if look is not None:
            assert not await look(host)
            await connection.connect(host)
            assert await look(host)
            await connection.disconnect(host)
            assert not await look(host)


class BlockTypeContract(AnyTypeContract):
    """Types of kind BLOCK: connecting makes disks appear, what is on them is the core's."""

    def test_it_is_of_the_block_kind(self, type):
        assert type.kind is Kind.BLOCK

    def test_several_hosts_guard_its_domains_together(self, type):
        assert "local" not in {type.lease(version) for version in (0, 2, 3, 4, 5)}

    def test_no_remote_place_is_asked_of_a_domain(self, type):
        type.check_remote("Vg0Uid-0000-0000-0000-0000-0000-Vg0Uid")

    @pytest_twisted.ensureDeferred
    async def test_every_connecting_looks_for_disks(self, type, parameters, host):
        connection = type.read(parameters)
        await connection.connect(host)
        await connection.connect(host)
        assert host.rescans == 2

    @pytest_twisted.ensureDeferred
    async def test_disconnecting_may_be_repeated(self, type, parameters, host):
        connection = type.read(parameters)
        await connection.disconnect(host)
        await connection.connect(host)
        await connection.disconnect(host)
        await connection.disconnect(host)
