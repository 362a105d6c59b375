"""Mount names beyond the vectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.storage.formats.mount_name import directory_name, escape, normalize


@given(st.text())
def test_an_escaped_name_is_one_path_component(path):
    assert "/" not in escape(path)


segments = st.text("abc_:", min_size=1).filter(lambda name: name not in (".", ".."))


@given(st.lists(segments, max_size=4), st.lists(segments, max_size=4))
def test_different_absolute_paths_of_whole_names_differ_when_escaped(one, other):
    clean = [["x" + name.strip("_") for name in path] for path in (one, other)]
    first, second = ("/" + "/".join(path) for path in clean)
    assert (directory_name(first) == directory_name(second)) == (first == second)


@given(st.text("ab/.:[]_0123456789", max_size=30))
def test_normalizing_twice_changes_nothing(remote):
    assert normalize(normalize(remote)) == normalize(remote)


@pytest.mark.parametrize(
    ("remote", "normal"),
    [
        ("/", "/"),
        ("//", "/"),
        ("///a/../../b/", "/b"),
        ("relative//path/.", "relative/path"),
        ("[fe80::1%eth0]:/a/", "[fe80::1%eth0]:/a"),
        ("server:65535:/a/", "server:65535:/a"),
        ("server:65536:/a/", "server:65536:/a"),
        ("server:0123:/a//b", "server:0123:/a/b"),
        ("a:6789,b:6789:/x/", "a:6789,b:6789:/x"),
        ("server:", "server:"),
        ("server:a:b/", "server:a:b"),
    ],
)
def test_normal_forms(remote, normal):
    assert normalize(remote) == normal
