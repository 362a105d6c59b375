"""Small contents of raw volumes: read from the beginning, written over it, the rest stays."""

import pytest
from contract.storage.light import begun, now
from contract.storage.room import POOL, uuid

from virgate.node.storage.errors import IllegalVolume, IncorrectFormat, VolumeDoesNotExist, VolumeNotWritable
from virgate.node.storage.images.contents import Contents
from virgate.node.tasks.locks import image as image_lock

SD, IMG, VOLUME = uuid(2), uuid(3), uuid(4)
SIZE = 16384


@pytest.fixture
def contents(pooled):
    pooled.volume(1, size="16384")
    return Contents(pooled.room.storage.images.jobs)


def file_of(light, number=1):
    return light.folder() / "images" / IMG / uuid(4, number)


def test_what_is_written_is_read_and_the_rest_stays(pooled, contents):
    file_of(pooled).write_bytes(b"old" * 5000)
    now(contents.write(SD, IMG, VOLUME, b"n" * 4097))
    assert now(contents.read(SD, IMG, VOLUME, 4100)) == b"n" * 4097 + (b"old" * 5000)[4097:4100]
    assert len(file_of(pooled).read_bytes()) == 15000


def test_no_more_is_read_than_there_is_or_than_is_wanted(contents):
    assert len(now(contents.read(SD, IMG, VOLUME, 10))) == 10
    assert now(contents.read(SD, IMG, VOLUME, SIZE + 5000)) == b"\0" * SIZE


def test_a_file_grows_when_it_has_to(pooled, contents):
    now(contents.write(SD, IMG, VOLUME, b"n" * (SIZE + 512)))
    assert file_of(pooled).stat().st_size == SIZE + 512


@pytest.mark.parametrize(("left", "after"), [(100, SIZE), (SIZE, SIZE), (SIZE + 512, SIZE + 512)])
def test_a_file_that_was_cut_is_as_long_again_and_keeps_what_it_has(pooled, contents, left, after):
    file_of(pooled).write_bytes(b"m" * left)
    now(contents.lengthen(SD, IMG, VOLUME))
    assert file_of(pooled).stat().st_size == after
    assert file_of(pooled).read_bytes()[:left] == b"m" * left


def test_a_link_in_the_volume_s_place_is_not_followed(pooled, contents, tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    file_of(pooled).unlink()
    file_of(pooled).symlink_to(outside)
    for work in (contents.write(SD, IMG, VOLUME, b"x"), contents.read(SD, IMG, VOLUME, 10)):
        with pytest.raises(OSError, match="symbolic"):
            now(work)
    assert outside.read_bytes() == b"mine"


def test_only_legal_raw_leaves_are_written(pooled, contents):
    pooled.volume(2, form=4, parent=(1, 1))
    with pytest.raises(VolumeNotWritable):
        now(contents.write(SD, IMG, VOLUME, b"x"))
    with pytest.raises(IncorrectFormat):
        now(contents.read(SD, IMG, uuid(4, 2), 10))
    with pytest.raises(VolumeDoesNotExist):
        now(contents.read(SD, IMG, uuid(4, 7), 10))
    pooled.ask("setVolumeLegality", SD, POOL, IMG, VOLUME, "ILLEGAL")
    with pytest.raises(IllegalVolume):
        now(contents.read(SD, IMG, VOLUME, 10))


def test_nobody_deletes_the_image_meanwhile(pooled, contents):
    with pooled.held(image_lock(SD, IMG)):
        came = begun(contents.write(SD, IMG, VOLUME, b"x"))
        assert came == []
    assert came == [None]
