"""What a conversion is asked for, and the command line that is made of it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.domxml.errors import MissingParameter
from virgate.errors import InvalidParameter
from virgate.node.v2v.command import Places, environment, from_archive, from_hypervisor
from virgate.node.v2v.errors import UnsupportedSource
from virgate.node.v2v.imports import with_user
from virgate.node.v2v.wish import Wish, job_id, shown, source_kind

IDS = [f"{digit * 8}-{digit * 4}-4{digit * 3}-8{digit * 3}-{digit * 12}" for digit in "1234567"]
JOB = IDS[6]
GIVEN = {
    "vmName": "old",
    "poolID": IDS[0],
    "domainID": IDS[1],
    "disks": [{"imageID": IDS[2], "volumeID": IDS[3]}, {"imageID": IDS[4], "volumeID": IDS[5]}],
}
PLACES = Places(Path("/run/v/sd"), Path("/run/v"), Path("/var/v"))
DISKS = [f"vdsm-image-uuid={IDS[2]}", f"vdsm-vol-uuid={IDS[3]}", f"vdsm-image-uuid={IDS[4]}", f"vdsm-vol-uuid={IDS[5]}"]
GENTLY = ["nice", "-n", "19", "ionice", "-c", "3"]


def wish(**more: Any) -> Wish:
    return Wish.read(GIVEN | more)


def with_oo(values: list[str]) -> list[str]:
    return [part for value in values for part in ("-oo", value)]


RESULT = [*with_oo([f"vdsm-vm-uuid={JOB}", "vdsm-ovf-output=/run/v"]), "--machine-readable"]


def test_vmware_is_read_with_a_password_file() -> None:
    places = Places(PLACES.storage, PLACES.result, PLACES.work, Path("/run/v/password"))
    assert from_hypervisor(JOB, wish(format="cow", allocation="Preallocated"), "vpx://u@h/dc/e", "vmware", places) == [
        *GENTLY, "virt-v2v", "-v", "-x", "-ic", "vpx://u@h/dc/e", "-o", "vdsm", "-of", "qcow2", "-oa", "preallocated",
        *with_oo(DISKS), "-ip", "/run/v/password", *RESULT, "-os", "/run/v/sd", "old",
    ]  # fmt: skip


def test_xen_is_read_with_keys_and_without_a_password() -> None:
    argv = from_hypervisor(JOB, wish(), "xen+ssh://root@h", "xen", PLACES)
    assert argv[:5] == ["ssh-agent", "sh", "-c", 'ssh-add && exec "$@"', "sh"]
    assert "-ip" not in argv and argv[-1] == "old"


def test_an_archive_is_read_from_its_path() -> None:
    assert from_archive(JOB, wish(), "/a/b c.ova", PLACES) == [
        *GENTLY, "virt-v2v", "-v", "-x", "-i", "ova", "/a/b c.ova", "-o", "vdsm", "-of", "raw", "-oa", "sparse",
        *RESULT, "-os", "/run/v/sd", *with_oo(DISKS),
    ]  # fmt: skip


def test_a_level_of_qcow2_is_said_only_for_qcow2() -> None:
    assert "vdsm-compat=1.1" in from_archive(JOB, wish(format="cow", qcow2_compat="1.1"), "/x", PLACES)
    assert "vdsm-compat=1.1" not in from_archive(JOB, wish(format="raw", qcow2_compat="1.1"), "/x", PLACES)


def test_the_converter_starts_qemu_itself_unless_the_administrator_says_otherwise() -> None:
    found = environment({"PATH": "/bin"}, wish(virtio_iso_path="/iso/v.iso"), PLACES)
    assert found["LIBGUESTFS_BACKEND"] == "direct" and found["VIRTIO_WIN"] == "/iso/v.iso"
    assert environment({"LIBGUESTFS_BACKEND": "libvirt"}, wish(), PLACES)["LIBGUESTFS_BACKEND"] == "libvirt"
    assert "VIRTIO_WIN" not in environment({}, wish(), PLACES)


def test_sockets_are_in_the_working_folder_if_their_names_are_not_too_long_there() -> None:
    assert environment({}, wish(), PLACES)["TMPDIR"] == environment({}, wish(), PLACES)["XDG_RUNTIME_DIR"] == "/var/v"
    deep = Places(PLACES.storage, PLACES.result, Path("/" + "x" * 80))
    found = environment({}, wish(), deep)
    assert "TMPDIR" not in found and found["VIRT_V2V_TMPDIR"] == str(deep.work)


@pytest.mark.parametrize("missing", ["vmName", "poolID", "domainID", "disks"])
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(MissingParameter, match=missing):
        wish(**{missing: None})


@pytest.mark.parametrize(
    "wrong",
    [
        {"poolID": "../x"},
        {"vmName": "-oo"},
        {"vmName": "a\nb"},
        {"vmName": 7},
        {"format": "vmdk"},
        {"allocation": "much"},
        {"qcow2_compat": "2"},
        {"virtio_iso_path": "x.iso"},
        {"disks": ["x"]},
        {"disks": [{"imageID": IDS[2], "volumeID": IDS[3]}] * 2},
        {"disks": [{"imageID": "/etc", "volumeID": IDS[3]}]},
    ],
)
def test_what_is_wrong_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter):
        wish(**wrong)


def test_a_job_is_a_uuid_as_it_names_files() -> None:
    assert job_id(JOB) == JOB
    with pytest.raises(InvalidParameter):
        job_id("../../etc")


@pytest.mark.parametrize(
    ("uri", "kind"),
    [("vpx://h/dc/e", "vmware"), ("esx://h", "vmware"), ("xen+ssh://root@h", "xen"), ("qemu+tls://h/system", "kvm")],
)
def test_sources_are_known_by_their_scheme(uri: str, kind: str) -> None:
    assert source_kind(uri) == kind


@pytest.mark.parametrize(
    "uri",
    [
        *("", "lxc:///", "http://h", "qemu+ext:///system", "qemu+ssh://h/system?command=/bin/sh", "QEMU+EXT:///"),
        *("xen+ssh://h?netcat=/x", "xen://h", "qemu+ssh://h/system?a=b&command", "qemu+ssh://h/a b", "vpx://[h"),
    ],
)
def test_other_places_and_those_that_would_run_a_program_here_are_refused(uri: str) -> None:
    with pytest.raises(UnsupportedSource) as caught:
        source_kind(uri)
    assert caught.value.code == 44


@given(st.text("abc@:/?", max_size=30), st.text("pw", min_size=12, max_size=20))
def test_a_password_in_a_uri_is_not_shown(rest: str, password: str) -> None:
    assert password not in shown(f"vpx://user:{password}@{rest}")


def test_a_user_becomes_a_part_of_the_uri() -> None:
    assert with_user("vpx://h/dc/e?no_verify=1", r"corp\me@x") == "vpx://corp%5Cme%40x@h/dc/e?no_verify=1"
    assert with_user("vpx://other@h/dc", "me") == "vpx://other@h/dc"
    assert with_user("vpx://h/dc", "") == "vpx://h/dc"
