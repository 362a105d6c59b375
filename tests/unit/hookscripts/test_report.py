"""What a manager is told about installed scripts."""

import os

import pytest

from virgate.hookscripts.report import Report


def test_without_a_readable_folder_there_is_no_report(tmp_path):
    assert Report().installed([tmp_path / "missing", tmp_path / "file"]) is None
    assert Report().installed([]) is None


def test_an_empty_folder_is_an_empty_report(tree):
    tree.root.mkdir()
    assert Report().installed([tree.root]) == {}


def test_of_two_scripts_with_one_name_the_first_folders_is_told(tree):
    tree.write("a/p/1", "exit 1"), tree.write("b/p/1", "exit 2"), tree.write("b/p/2", "exit 2")
    both = Report().installed([tree.root / "a", tree.root / "b"])["p"]
    assert both["1"] == Report().installed([tree.root / "a"])["p"]["1"]
    assert sorted(both) == ["1", "2"]


@pytest.mark.parametrize("name", ["a{b", "a}b", "a=b", "a,b"])
def test_a_name_the_managers_parser_would_take_apart_is_left_out(tree, name):
    tree.write(f"p/{name}"), tree.write("p/good"), tree.write("q,r/1")
    assert {point: sorted(found) for point, found in Report().installed([tree.root]).items()} == {"p": ["good"]}


def test_a_changed_file_gets_new_checksums_even_when_size_and_time_stay(tree):
    report = Report()
    script = tree.write("p/1", "exit 1")
    before = report.installed([tree.root])
    times = script.stat()
    tree.write("p/1", "exit 2")
    os.utime(script, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert report.installed([tree.root]) != before


def test_checksums_are_not_computed_again_for_the_same_file(tree, monkeypatch):
    report = Report()
    tree.write("p/1", "exit 1")
    before = report.installed([tree.root])
    monkeypatch.setattr("hashlib.sha256", lambda *_: pytest.fail("computed again"))
    assert report.installed([tree.root]) == before


def test_a_script_that_vanishes_meanwhile_has_empty_checksums(tree, monkeypatch):
    script = tree.write("p/1", "exit 1")
    monkeypatch.setattr(
        "virgate.hookscripts.report.scripts_of", lambda *_: (script.unlink(missing_ok=True), (str(script),))[1]
    )
    assert Report().installed([tree.root]) == {"p": {"1": {"md5": "", "checksum": ""}}}
