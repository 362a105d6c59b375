"""The blocking functions about whole domains."""

import os
import stat

import pytest

from virgate.node.storage.operations import domains, files

DOMAIN = "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e2001"
MACHINE = "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e5001"


def lay_out(mount, name=DOMAIN):
    root = mount / name
    domains.lay_out_domain(str(root), ["dom_md", "images"], [("dom_md/ids", 0), ("dom_md/inbox", 4096)])
    files.write_file(str(root / "dom_md" / "metadata"), b"KEY=1\n")
    return root


def test_a_domain_is_laid_out_with_the_modes_of_the_format(tmp_path):
    root = lay_out(tmp_path)
    modes = {str(path.relative_to(root)): stat.S_IMODE(path.stat().st_mode) for path in sorted(root.rglob("*"))}
    assert modes == {
        "dom_md": 0o755,
        "dom_md/ids": 0o660,
        "dom_md/inbox": 0o660,
        "dom_md/metadata": 0o644,
        "images": 0o755,
    }
    assert (root / "dom_md" / "inbox").stat().st_size == 4096


def test_a_layout_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(OSError):
        domains.lay_out_domain(str(tmp_path / DOMAIN), ["dom_md"], [("missing/ids", 0)])
    assert os.listdir(tmp_path) == []


def test_domains_are_found_with_their_metadata(tmp_path):
    lay_out(tmp_path)
    (tmp_path / "not-a-domain").mkdir()
    (tmp_path / "a-b-c-d-e" / "dom_md").mkdir(parents=True)
    assert domains.find_domains(str(tmp_path)) == [(DOMAIN, b"KEY=1\n"), ("a-b-c-d-e", None)]


def test_a_place_that_is_gone_has_no_domains(tmp_path):
    assert domains.find_domains(str(tmp_path / "missing")) == []


def test_anything_that_might_be_a_domain_is_noticed(tmp_path):
    assert domains.anything_there(str(tmp_path)) is False
    (tmp_path / "odd name" / "dom_md").mkdir(parents=True)
    assert domains.anything_there(str(tmp_path)) is True


def test_one_look_tells_space_delay_and_metadata(tmp_path):
    found = domains.check_domain(str(lay_out(tmp_path)))
    assert found["metadata"] == b"KEY=1\n"
    assert 0 <= found["delay"] < 10 and 0 <= found["free"] <= found["total"]


def test_a_master_moves_with_its_machines_and_its_journal(tmp_path):
    for room in ("old/vms/1", "old/tasks/2", "new/vms/stale", "new/tasks"):
        (tmp_path / room).mkdir(parents=True)
    (tmp_path / "old/vms/1/1.ovf").write_bytes(b"ovf")
    domains.copy_master(str(tmp_path / "old"), str(tmp_path / "new"))
    assert (tmp_path / "new/vms/1/1.ovf").read_bytes() == b"ovf"
    assert os.listdir(tmp_path / "new/vms") == ["1"]
    domains.empty_master(str(tmp_path / "old"))
    assert (os.listdir(tmp_path / "old/vms"), os.listdir(tmp_path / "old/tasks")) == ([], [])


def test_a_moved_master_is_lasting_and_belongs_to_its_new_domain(tmp_path, monkeypatch):
    lasting, given, real = set(), {}, os.fsync

    def fsync(handle):
        lasting.add(os.readlink(f"/proc/self/fd/{handle}"))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    monkeypatch.setattr(os, "chown", lambda place, user, group: given.update({place: (user, group)}))
    (tmp_path / "old/vms/1").mkdir(parents=True)
    (tmp_path / "old/vms/1/1.ovf").write_bytes(b"ovf")
    (tmp_path / "old/vms/link").symlink_to("/etc/shadow")
    (tmp_path / "old/vms/lost+found").mkdir()
    (tmp_path / "new").mkdir()
    domains.copy_master(str(tmp_path / "old"), str(tmp_path / "new"))
    copied = {str(tmp_path / "new" / name) for name in ("vms", "vms/1", "vms/1/1.ovf")}
    assert copied <= lasting
    assert set(given) == copied
    owner = (tmp_path / "new").stat()
    assert set(given.values()) == {(owner.st_uid, owner.st_gid)}
    assert sorted(os.listdir(tmp_path / "new/vms")) == ["1", "link"]


def test_a_machine_has_one_ovf_at_a_time(tmp_path):
    (tmp_path / MACHINE).mkdir()
    (tmp_path / MACHINE / "older.ovf").write_bytes(b"")
    domains.store_machine(str(tmp_path), MACHINE, b"one")
    domains.store_machine(str(tmp_path), MACHINE, b"two")
    assert os.listdir(tmp_path / MACHINE) == [f"{MACHINE}.ovf"]
    assert domains.load_machines(str(tmp_path), []) == {MACHINE: b"two"}
    assert domains.load_machines(str(tmp_path), ["unknown"]) == {}


def test_a_machine_without_ovf_is_told_as_none(tmp_path):
    (tmp_path / MACHINE).mkdir()
    assert domains.load_machines(str(tmp_path), []) == {MACHINE: None}
