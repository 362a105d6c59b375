"""Payload images, made by the real programs and read back by others."""

import subprocess
from pathlib import Path

import pytest
import pytest_twisted

from virgate.domxml.facts import PayloadRequest
from virgate.node.vm.payload import PayloadFailed, PayloadImages, digest, lay_out

VM = "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01"
FILES = {"openstack/latest/meta_data.json": b'{"uuid": 1}', "openstack/latest/user_data": b"#cloud-config\n"}


@pytest.fixture
def images(tmp_path: Path) -> PayloadImages:
    return PayloadImages(tmp_path / "payload")


def output(*argv: object) -> bytes:
    return subprocess.run([str(word) for word in argv], check=True, capture_output=True, timeout=30).stdout


def test_the_digest_is_that_of_all_names_then_all_contents():
    assert digest({"testPayload": b""}) == "d37e46c24c78b1aed33496107afdb44b"
    assert digest({"a": b"b", "c": b"d"}) == digest({"ac": b"bd"})


@pytest_twisted.ensureDeferred
async def test_a_cdrom_has_label_and_files_under_both_kinds_of_long_names(images, tmp_path):
    source = await images.make(VM, PayloadRequest("hdd", "cdrom", "config-2", FILES))
    assert source.path == f"{tmp_path}/payload/{VM}.{digest(FILES)}.img"
    assert (source.format, source.kind) == ("raw", "file")
    assert b"Volume id: config-2" in output("isoinfo", "-d", "-i", source.path)
    for names in ("-R", "-J"):
        for name, content in FILES.items():
            assert output("isoinfo", names, "-i", source.path, "-x", f"/{name}") == content


@pytest_twisted.ensureDeferred
async def test_a_floppy_is_a_fat_of_1440_kib_with_label_and_files(images):
    source = await images.make(VM, PayloadRequest("fda", "floppy", "ANSWERS", {"a.txt": b"one", "d/b.txt": b"two"}))
    assert Path(source.path).stat().st_size == 1440 * 1024
    assert b"ANSWERS" in output("mdir", "-i", source.path, "::")
    assert output("mtype", "-i", source.path, "::/d/b.txt") == b"two"
    assert output("mtype", "-i", source.path, "::/a.txt") == b"one"


@pytest_twisted.ensureDeferred
async def test_names_of_any_script_survive_on_a_cdrom(images):
    source = await images.make(VM, PayloadRequest("hdd", "cdrom", "", {"größe/名前.txt": b"x"}))
    assert "/größe/名前.txt" in output("isoinfo", "-R", "-f", "-i", source.path).decode()
    names = "größe".encode("utf-16-be"), "名前.txt".encode("utf-16-be")
    assert all(name in Path(source.path).read_bytes() for name in names)


@pytest_twisted.ensureDeferred
async def test_a_payload_without_files_is_an_empty_drive(images):
    for target, kind in (("hdd", "cdrom"), ("fda", "floppy")):
        assert Path((await images.make(VM, PayloadRequest(target, kind, "", {}))).path).exists()


@pytest_twisted.ensureDeferred
async def test_only_the_owner_reads_an_image_and_no_working_files_stay(images, tmp_path):
    source = await images.make(VM, PayloadRequest("hdd", "cdrom", "", FILES))
    assert Path(source.path).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "payload").iterdir()] == [Path(source.path).name]


@pytest_twisted.ensureDeferred
async def test_making_the_same_payload_twice_is_one_image(images, tmp_path):
    first = await images.make(VM, PayloadRequest("hdd", "cdrom", "", FILES))
    again = await images.make(VM, PayloadRequest("hdd", "cdrom", "", FILES))
    assert first == again
    assert len(list((tmp_path / "payload").iterdir())) == 1


@pytest_twisted.ensureDeferred
async def test_removing_takes_all_images_of_one_machine_and_none_of_another(images, tmp_path):
    other = VM.replace("5e", "6e")
    await images.make(VM, PayloadRequest("hdd", "cdrom", "", FILES))
    await images.make(VM, PayloadRequest("fda", "floppy", "", {"x": b"y"}))
    kept = await images.make(other, PayloadRequest("hdd", "cdrom", "", FILES))
    await images.remove(VM)
    await images.remove(VM)
    assert [str(path) for path in (tmp_path / "payload").iterdir()] == [kept.path]


@pytest_twisted.ensureDeferred
async def test_removing_before_anything_was_made_is_quiet(images):
    await images.remove(VM)


@pytest.mark.parametrize(
    ("kind", "label", "files"),
    [
        ("floppy", "", {"big": bytes(2 << 20)}),
        ("floppy", "A LABEL TOO LONG", {}),
        ("cdrom", "x" * 40, {}),
        ("cdrom", "", {"a": b"", "a/b": b""}),
        ("cdrom", "", {"n" * 300: b""}),
    ],
    ids=["too much for a floppy", "long floppy label", "long cd label", "file and folder of one name", "long name"],
)
@pytest_twisted.ensureDeferred
async def test_what_no_drive_can_hold_is_told_and_leaves_nothing(images, tmp_path, kind, label, files):
    with pytest.raises(PayloadFailed) as caught:
        await images.make(VM, PayloadRequest("hdd", kind, label, files))
    assert caught.value.code == 9
    assert "hdd" in str(caught.value)
    assert list((tmp_path / "payload").iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PayloadFailed, match="Not a directory"):
        await PayloadImages(tmp_path / "file" / "payload").make(VM, PayloadRequest("hdd", "cdrom", "", FILES))


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", ""])
def test_a_name_that_points_out_of_the_drive_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="cannot be called"):
        lay_out(tmp_path / "files", {name: b""})
    assert not (tmp_path / "x").exists()
