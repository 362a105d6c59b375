"""What is said of a file domain's tree."""

import pytest

from virgate.node.storage.checking import leases
from virgate.node.storage.checking.findings import Severity
from virgate.node.storage.checking.trees import Entry, Shape, examine
from virgate.node.storage.formats import sanlock, xleases

MIB = 1 << 20
IMAGE = "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e3001"
VOLUME = "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e4001"
SHARED, LOCAL = Shape(5, MIB, shared=True), Shape(5, MIB, shared=False)
SPECIAL = {"ids": MIB, "leases": 2 * MIB, "inbox": 16 * MIB, "outbox": 16 * MIB, "xleases": MIB + 253952}


def tree(*more, without=(), **changed):
    entries = [
        Entry(f"dom_md/{name}", "file", changed.get(name, size), 0o660)
        for name, size in SPECIAL.items()
        if name not in without
    ]
    entries += [Entry("images", "folder", 0, 0o755), Entry(f"images/{IMAGE}", "folder", 0, 0o755)]
    base = f"images/{IMAGE}/{VOLUME}"
    entries += [
        Entry(f"{base}{ending}", "file", 0, 0o660)
        for ending in ("", ".meta", ".lease")
        if f"{VOLUME}{ending}" not in without
    ]
    return [*entries, *more]


def found(entries, shape=SHARED):
    return {(one.severity, one.place): one.what for one in examine(entries, shape)}


def test_a_whole_tree_has_no_findings():
    assert not found(tree())
    assert not found(tree(without=("xleases", f"{VOLUME}.lease"), ids=0, leases=0), LOCAL)


@pytest.mark.parametrize("name", list(SPECIAL))
def test_a_missing_or_cut_special_file_is_an_error(name):
    place = (Severity.ERROR, f"dom_md/{name}")
    assert "missing" in found(tree(without=(name,)))[place]
    assert "needs" in found(tree(**{name: 512}))[place]


def test_an_old_domain_needs_no_xleases():
    assert not found(tree(without=("xleases",)), Shape(3, MIB, shared=True))


@pytest.mark.parametrize(
    ("path", "severity", "what"),
    [
        (f"images/_remove_me_{IMAGE}", Severity.NOTE, "a deletion did not end"),
        (f"images/{IMAGE}/_remove_me_ab_{VOLUME}", Severity.NOTE, "a deletion did not end"),
        ("images/stray", Severity.NOTE, "no image"),
        (f"images/{IMAGE}/notes.txt", Severity.NOTE, "belongs to no volume"),
        (f"images/{IMAGE}/{VOLUME}.meta.new", Severity.NOTE, "belongs to no volume"),
        (f"images/{IMAGE}/{VOLUME[:-1]}2", Severity.WARNING, "a creation did not end"),
        (f"images/{IMAGE}/{VOLUME[:-1]}2.lease", Severity.NOTE, "lease of a volume that is gone"),
    ],
)
def test_what_does_not_belong_there_is_told(path, severity, what):
    assert what in found(tree(Entry(path, "file", 0, 0o660)))[severity, path]


def test_what_lies_in_a_deleted_image_is_told_once():
    deleted = f"images/_remove_me_{IMAGE}"
    more = [Entry(deleted, "folder", 0, 0o755), Entry(f"{deleted}/{VOLUME}", "file", 0, 0o660)]
    assert list(found(tree(*more))) == [(Severity.NOTE, deleted)]


def test_a_link_is_an_error():
    assert (
        "symbolic link"
        in found(tree(Entry(f"images/{IMAGE}/x", "link", 0, 0o777)))[Severity.ERROR, f"images/{IMAGE}/x"]
    )


def test_a_volume_without_lease_is_an_error_where_leases_are():
    entries = tree(without=(f"{VOLUME}.lease",))
    assert found(entries)[Severity.ERROR, f"images/{IMAGE}/{VOLUME}"] == "it has no lease"
    assert not found(entries, LOCAL)


def test_files_of_an_iso_domain_are_nobody_s_volumes():
    iso = "images/11111111-1111-1111-1111-111111111111"
    assert not found(tree(Entry(iso, "folder", 0, 0o755), Entry(f"{iso}/debian.iso", "file", 1, 0o644)))


def lease(record, name=VOLUME):
    return [one.what for one in leases.examine_lease("place", record, "space", name)]


def test_a_lease_must_be_whole_and_of_that_name():
    record = sanlock.resource("space", VOLUME, 512, MIB)
    assert not lease(record[:512])
    assert "is called" in lease(record[:512], "other")[0]
    assert "cannot be read" in lease(b"\0" * 512)[0]
    assert "was removed" in lease(sanlock.removed_resource(512, MIB)[:512])[0]
    other = sanlock.resource("other", VOLUME, 512, MIB)
    assert "lockspace 'other'" in lease(other[:512])[0]
    assert not lease(sanlock.lockspace("space", 512, MIB)[:512], "")


def index(data):
    return [one.what for one in leases.examine_index("xleases", data, "space")]


def test_an_index_must_be_whole_and_of_that_domain():
    fresh = xleases.fresh("space", 1)
    assert not index(fresh.data)
    assert "lockspace 'other'" in index(xleases.fresh("other", 1).data)[0]
    assert index(b"\0" * len(fresh.data))
    changed, lease = fresh.add("lease", MIB)
    place = 512 + 64 * lease.number + 61
    torn = changed.data[:place] + b"u" + changed.data[place + 1 :]
    assert index(torn) == ["a change of it did not end"]
