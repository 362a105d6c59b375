"""Which files are scripts, and in which order they run."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.hookscripts.discovery import scripts_of

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=40).filter(
    lambda name: not name.startswith(".") and len(name.encode()) < 255
)


def names(found):
    return [os.path.basename(path) for path in found]


def test_a_missing_folder_and_an_empty_one_have_no_scripts(tree):
    (tree.root / "after_vm_start").mkdir(parents=True)
    assert scripts_of("after_vm_start", [tree.root]) == scripts_of("before_vm_start", [tree.root]) == ()


def test_a_file_in_place_of_a_folder_has_no_scripts(tree):
    tree.write("before_vm_start")
    assert scripts_of("before_vm_start", [tree.root]) == ()


def test_links_are_followed_and_dead_ones_are_no_scripts(tree):
    target = tree.write("elsewhere/script")
    folder = tree.root / "before_vm_start"
    folder.mkdir()
    (folder / "10_link").symlink_to(target)
    (folder / "20_dead").symlink_to("/no/such/file")
    (folder / "30_folder").symlink_to(tree.root)
    assert names(scripts_of("before_vm_start", [tree.root])) == ["10_link"]


def test_folders_are_merged_by_file_name_then_by_the_order_of_the_setting(tmp_path, tree):
    tree.write("a/p/50_x"), tree.write("a/p/10_x"), tree.write("b/p/50_x"), tree.write("b/p/20_x")
    found = scripts_of("p", [tree.root / "b", tree.root / "a"])
    assert [os.path.relpath(path, tree.root) for path in found] == ["a/p/10_x", "b/p/20_x", "b/p/50_x", "a/p/50_x"]


def test_paths_are_absolute_however_the_folder_was_named(tree, monkeypatch):
    script = tree.write("p/1")
    monkeypatch.chdir(tree.root)
    assert scripts_of("p", [tree.root.relative_to(tree.root)]) == (str(script),)


def test_what_was_added_changed_or_removed_counts_at_once(tree):
    first = tree.write("p/1")
    assert names(scripts_of("p", [tree.root])) == ["1"]
    second = tree.write("p/2", mode=0o644)
    assert names(scripts_of("p", [tree.root])) == ["1"]
    second.chmod(0o755)
    first.unlink()
    assert names(scripts_of("p", [tree.root])) == ["2"]


@pytest.mark.parametrize("point", ["", "..", "/etc", "a/b", "a..b"])
def test_a_point_is_a_plain_name(tree, point):
    with pytest.raises(ValueError, match="no name of a hook point"):
        scripts_of(point, [tree.root])


@given(found=st.sets(NAMES, max_size=6))
def test_the_order_is_that_of_code_points(found, tmp_path_factory):
    root = tmp_path_factory.mktemp("hooks")
    (root / "p").mkdir()
    for name in found:
        (root / "p" / name).touch(mode=0o755)
    assert names(scripts_of("p", [root])) == sorted(found)
