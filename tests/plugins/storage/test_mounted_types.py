"""NFS, POSIX and Gluster: what is mounted, and how."""

import inspect

import pytest
import pytest_twisted
from contract.storage.types import RecordingHost

from virgate.errors import InvalidParameter
from virgate.node.storage.errors import IllegalMountOptions, IllegalRemotePath, WrongMountType
from virgate.run.process import Finished
from virgate_plugins.storage import glusterfs, nfs, posixfs
from virgate_plugins.storage.glusterfs import GlusterVolume, backup_option, servers_in
from virgate_plugins.storage.nfs import NfsExport
from virgate_plugins.storage.posixfs import PosixFileSystem


@pytest.fixture
def host(tmp_path):
    return RecordingHost(tmp_path / "dc")


@pytest.mark.parametrize(("room", "name"), [(nfs, "nfs"), (posixfs, "posixfs"), (glusterfs, "glusterfs")])
def test_each_type_is_small_and_answers_to_its_own_name_only(room, name):
    assert room.storage_domain_type(name).name == name.upper()
    assert room.storage_domain_type("localfs") is None
    assert len(inspect.getsource(room).splitlines()) < 105


@pytest.mark.parametrize("type", [NfsExport, PosixFileSystem, GlusterVolume])
@pytest.mark.parametrize(("version", "lease"), [(0, "safelease"), (2, "safelease"), (3, "sanlock"), (5, "sanlock")])
def test_what_hosts_share_is_guarded_by_shared_leases(type, version, lease):
    assert type.lease(version) == lease


def export(**parameters):
    return NfsExport.read({"connection": "nas:/e", **parameters}).options


@pytest.mark.parametrize(
    ("parameters", "options"),
    [
        ({}, "soft,nosharecache,timeo=600,retrans=6,nfsvers=3"),
        (
            {"protocol_version": "4.1", "timeout": "100", "retrans": "2", "mnt_options": "ro"},
            "soft,nosharecache,timeo=100,retrans=2,nfsvers=4,minorversion=1,ro",
        ),
        ({"protocol_version": "auto"}, "soft,nosharecache,timeo=600,retrans=6"),
        ({"protocol_version": "4"}, "soft,nosharecache,timeo=600,retrans=6,nfsvers=4"),
        ({"timeout": "", "retrans": "", "mnt_options": ""}, "soft,nosharecache,timeo=600,retrans=6,nfsvers=3"),
        ({"timeout": 50, "retrans": 1}, "soft,nosharecache,timeo=50,retrans=1,nfsvers=3"),
    ],
)
def test_an_export_is_mounted_softly_with_what_the_client_asks(parameters, options):
    assert export(**parameters) == options


@pytest.mark.parametrize(
    "parameters",
    [{"timeout": "soon"}, {"retrans": "-1"}, {"protocol_version": "4,exec"}, {"protocol_version": "4."},
     {"timeout": "6,bind"}],
)  # fmt: skip
def test_a_number_that_is_none_fails_the_whole_call(parameters):
    with pytest.raises(InvalidParameter):
        export(**parameters)


@pytest.mark.parametrize(
    ("parameters", "more"),
    [
        ({}, ["nolock", "retry=0"]),
        ({"protocol_version": "auto"}, ["nolock", "retry=0"]),
        ({"protocol_version": "4"}, ["retry=0"]),
        ({"protocol_version": "auto", "mnt_options": "vers=4.2"}, ["vers=4.2", "retry=0"]),
        ({"mnt_options": "lock"}, ["lock", "retry=0"]),
        ({"mnt_options": "nolock,retry=1"}, ["nolock", "retry=1"]),
    ],
)
@pytest_twisted.ensureDeferred
async def test_locks_of_version_3_and_long_tries_are_left_out(host, parameters, more):
    await NfsExport.read({"connection": "nas:/e", **parameters}).connect(host)
    ((remote, file_system, options),) = host.mounts
    words = options.split(",")
    assert (remote, file_system) == ("nas:/e", "nfs")
    assert words[-len(more) :] == more and ("nolock" in words) is ("nolock" in more)


@pytest.mark.parametrize("remote", ["", "nas", "/nas", "nas:exp", "nas:/exp/", ":/exp"])
def test_an_export_has_a_server_and_a_path(remote):
    with pytest.raises(IllegalRemotePath):
        NfsExport.check_remote(remote)


@pytest.mark.parametrize("remote", ["nas:/exp", "[2001:db8::1]:/exp", "nas:/a b/c"])
def test_exports_of_any_address_can_hold_a_domain(remote):
    NfsExport.check_remote(remote)


@pytest.mark.parametrize("type", [NfsExport, PosixFileSystem, GlusterVolume])
@pytest.mark.parametrize("options", ["remount", "soft,bind", "a\nb", "-o"])
@pytest_twisted.ensureDeferred
async def test_options_that_would_do_something_else_are_refused(host, type, options):
    given = {"connection": "nas:/e", "vfs_type": "ceph", "mnt_options": options}
    with pytest.raises(IllegalMountOptions):
        await type.read(given).connect(host)
    assert host.mounts == []


@pytest.mark.parametrize("type", ["", "-t", "a,b", "none"])
@pytest_twisted.ensureDeferred
async def test_a_posix_file_system_has_a_type(host, type):
    with pytest.raises(WrongMountType):
        await PosixFileSystem.read({"connection": "x", "vfs_type": type}).connect(host)


@pytest_twisted.ensureDeferred
async def test_a_posix_file_system_is_mounted_as_the_client_says(host):
    given = {"connection": "/dev/vdb", "vfs_type": "gfs2", "mnt_options": "noatime"}
    await PosixFileSystem.read(given).connect(host)
    assert host.mounts == [("/dev/vdb", "gfs2", "noatime")]


REPORT = b"""<?xml version="1.0"?><cliOutput><volInfo><volumes><volume><bricks>
<brick uuid="1">nas:/b/1<name>nas:/b/1</name></brick><brick uuid="2">two:/b/2<name>two:/b/2</name></brick>
<brick uuid="3">three:/b/3<name>three:/b/3</name></brick><brick uuid="4">two:/b/4<name>two:/b/4</name></brick>
</bricks></volume></volumes></volInfo></cliOutput>"""


@pytest_twisted.ensureDeferred
async def test_a_gluster_volume_falls_back_on_the_servers_of_its_bricks(host, monkeypatch):
    async def run(argv, **options):
        assert argv[-3:] == ["volume", "info", "vol"] and "--remote-host=nas" in argv
        return Finished(0, REPORT, b"")

    monkeypatch.setattr(glusterfs.process, "run", run)
    volume = GlusterVolume.read({"connection": "nas:/vol", "mnt_options": "log-level=ERROR"})
    await volume.connect(host)
    assert host.mounts == [("nas:/vol", "glusterfs", "log-level=ERROR,backup-volfile-servers=two:three")]
    assert host.mount_point("nas:/vol", below="glusterSD").is_dir()


@pytest_twisted.ensureDeferred
async def test_servers_that_the_client_names_are_used_as_they_are(host, monkeypatch):
    monkeypatch.setattr(glusterfs.process, "run", None)
    given = {"connection": "nas:vol", "vfs_type": "glusterfs", "mnt_options": "backup-volfile-servers=x"}
    await GlusterVolume.read(given).connect(host)
    assert host.mounts == [("nas:vol", "glusterfs", "backup-volfile-servers=x")]


@pytest.mark.parametrize(
    "report", [b"", b"<x", b"<brick>odd</brick>", b"\xff", b"<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>"]
)
def test_a_report_nobody_can_read_names_no_servers(report):
    assert servers_in(report) == []


def test_names_that_would_be_options_are_left_out():
    assert backup_option("nas", ["nas", "two,exec", "[2001:db8::1]", "-x y"]) == "backup-volfile-servers=[2001:db8::1]"
    assert backup_option("nas", ["nas"]) == ""


@pytest.mark.parametrize("remote", ["", "nas", ":/v", "nas:/vol/"])
def test_a_gluster_volume_has_a_server_and_a_name(remote):
    with pytest.raises(IllegalRemotePath):
        GlusterVolume.check_remote(remote)
