"""OVAs of every form, and those that mean harm."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from virgate.node.v2v.archives import ENTRIES, LONGEST, find_ovf

TEXT = b"<Envelope/>"


def tar(path: Path, *entries: tuple[str, bytes], form: int = tarfile.GNU_FORMAT) -> str:
    with tarfile.open(path, "w", format=form) as archive:
        for name, data in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return str(path)


def zipped(path: Path, *entries: tuple[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return str(path)


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_gives_its_first_description(tmp_path: Path, form: int) -> None:
    path = tar(tmp_path / "x", ("disk.vmdk", b"d" * 4096), ("a.ovf", TEXT), ("b.ovf", b"other"), form=form)
    assert find_ovf(path) == ["tar", "a.ovf", TEXT]


def test_a_zip_and_a_folder_do_not_mind_capitals_and_a_tar_does(tmp_path: Path) -> None:
    assert find_ovf(zipped(tmp_path / "x.zip", ("disk.vmdk", b"d"), ("A.OVF", TEXT))) == ["zip", "A.OVF", TEXT]
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/A.Ovf").write_bytes(TEXT)
    assert find_ovf(str(tmp_path / "folder")) == ["dir", "A.Ovf", TEXT]
    assert find_ovf(tar(tmp_path / "x.tar", ("A.OVF", TEXT)))[0] == ""


def test_a_name_that_leads_out_of_the_archive_is_only_a_name(tmp_path: Path) -> None:
    path = tar(tmp_path / "x", ("../../../etc/out.ovf", TEXT))
    assert find_ovf(path) == ["tar", "../../../etc/out.ovf", TEXT]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["x"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"of this host")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            entry = tarfile.TarInfo("a.ovf")
            entry.type, entry.linkname = kind, str(secret)
            archive.addfile(entry)
    assert find_ovf(str(tmp_path / "x.tar"))[0] == ""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a.ovf").symlink_to(secret)
    with pytest.raises(OSError):
        find_ovf(str(tmp_path / "folder"))


def test_a_description_that_swells_is_not_unpacked(tmp_path: Path) -> None:
    kind, why, data = find_ovf(zipped(tmp_path / "bomb.zip", ("a.ovf", bytes(LONGEST * 10))))
    assert (kind, data) == ("", b"") and "longer than" in why
    assert (tmp_path / "bomb.zip").stat().st_size < LONGEST


def test_a_tar_is_not_walked_for_ever_and_not_remembered(tmp_path: Path) -> None:
    path = tar(tmp_path / "x", *((f"{number}", b"") for number in range(ENTRIES + 10)), ("a.ovf", TEXT))
    assert find_ovf(path)[0] == ""


def test_what_is_not_there_or_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        find_ovf(str(tmp_path / "none"))
    assert "neither a file nor a folder" in find_ovf("/dev/null")[1]
    assert find_ovf(zipped(tmp_path / "empty.zip"))[1] == "no entry ends in .ovf"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from([tar, zipped]),
    changes=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=12),
    length=st.integers(0, 12000),
)
def test_a_damaged_archive_is_read_or_refused_and_nothing_else(
    tmp_path: Path, kind: object, changes: list[tuple[int, int]], length: int
) -> None:
    path = kind(tmp_path / "x", ("a.ovf", TEXT * 20), ("b.ovf", TEXT))  # type: ignore[operator]
    data = bytearray(Path(path).read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    Path(path).write_bytes(data[:length])
    found, name, text = find_ovf(path)
    assert found in ("", "tar", "zip") and isinstance(name, str) and isinstance(text, bytes)
