"""The blocking functions about images and volumes of a file domain."""

import os
import stat
from pathlib import Path

import pytest

from virgate.node.storage.operations import volumes

IMAGE = "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e3001"
OTHER = "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e3002"
VOLUME = "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e4001"


@pytest.fixture
def images(tmp_path):
    for image in (IMAGE, OTHER):
        (tmp_path / image).mkdir()
    return tmp_path


def make(images, image=IMAGE, volume=VOLUME, size=8192, lease=None):
    path = str(images / image / volume)
    volumes.reserve_volume(path, size)
    volumes.commit_volume(path, b"META", lease)
    return path


def test_a_volume_is_data_and_metadata_with_the_modes_of_the_format(images):
    path = make(images, lease=(b"LEASE", 1 << 20))
    assert {name: stat.S_IMODE(os.stat(path + name).st_mode) for name in ("", ".meta", ".lease")} == {
        "": 0o660,
        ".meta": 0o644,
        ".lease": 0o660,
    }
    assert Path(path + ".lease").read_bytes() == b"LEASE".ljust(1 << 20, b"\0")
    assert volumes.measure_volume(path) == (8192, 0)


def test_data_are_never_reserved_twice(images):
    path = make(images)
    with pytest.raises(FileExistsError):
        volumes.reserve_volume(path)


def test_an_image_is_surveyed_with_what_is_half_made(images):
    make(images)
    half, lost = VOLUME.replace("4001", "4002"), VOLUME.replace("4001", "4003")
    volumes.reserve_volume(str(images / IMAGE / half), 512)
    (images / IMAGE / f"{lost}.meta").write_bytes(b"LOST")
    (images / IMAGE / "README").write_bytes(b"")
    (images / IMAGE / f"_remove_me_abcd_{VOLUME}").write_bytes(b"")
    assert volumes.survey_image(str(images), IMAGE) == {
        VOLUME: (b"META", 8192, 0),
        half: (None, 512, 0),
        lost: (b"LOST", -1, 0),
    }


def test_a_missing_image_cannot_be_surveyed(images):
    with pytest.raises(FileNotFoundError):
        volumes.survey_image(str(images), VOLUME)


def test_images_that_are_being_deleted_are_not_seen(images):
    make(images)
    (images / f"_remove_me_{OTHER}").mkdir()
    (images / "lost+found").mkdir()
    assert volumes.survey_images(str(images)) == {IMAGE: [VOLUME], OTHER: []}


def test_a_shared_volume_is_the_same_files_in_both_images(images):
    path = make(images, lease=(b"LEASE", 512))
    target = str(images / OTHER / VOLUME)
    volumes.link_volume(path, target)
    volumes.link_volume(path, target)
    for ending in ("", ".meta", ".lease"):
        assert os.path.samefile(path + ending, target + ending)
    assert sorted(os.listdir(images / OTHER)) == sorted(os.listdir(images / IMAGE))
    assert volumes.images_with(str(images), VOLUME) == [IMAGE, OTHER]


def test_sharing_what_is_not_there_fails(images):
    with pytest.raises(FileNotFoundError):
        volumes.link_volume(str(images / IMAGE / VOLUME), str(images / OTHER / VOLUME))


def test_a_volume_grows_and_never_shrinks(images):
    path = make(images)
    assert volumes.grow_volume(path, 16384) == 16384
    assert volumes.grow_volume(path, 4096) == 16384
    assert os.stat(path).st_size == 16384


def test_a_renamed_volume_takes_all_its_files_along(images):
    path = make(images, lease=(b"LEASE", 512))
    volumes.rename_volume(path, path + "x")
    assert sorted(os.listdir(images / IMAGE)) == [VOLUME + "x", VOLUME + "x.lease", VOLUME + "x.meta"]


def test_a_removed_volume_leaves_nothing(images):
    path = make(images, lease=(b"LEASE", 512))
    volumes.remove_volume(path)
    volumes.remove_volume(path)
    assert os.listdir(images / IMAGE) == []


def test_a_deleted_image_is_gone_also_after_an_earlier_attempt(images):
    make(images)
    (images / f"_remove_me_{IMAGE}").mkdir()
    (images / f"_remove_me_{IMAGE}" / "left").write_bytes(b"")
    volumes.delete_image(str(images), IMAGE)
    assert os.listdir(images) == [OTHER]


def test_garbage_of_interrupted_deletions_is_removed(images):
    (images / f"_remove_me_{IMAGE}").mkdir()
    assert volumes.remove_garbage(str(images)) == [f"_remove_me_{IMAGE}"]
    assert sorted(os.listdir(images)) == sorted([IMAGE, OTHER])


def test_garbage_that_is_a_link_goes_without_what_it_leads_to(images, tmp_path):
    (tmp_path / "kept").mkdir()
    (images / f"_remove_me_{IMAGE}").symlink_to(tmp_path / "kept")
    assert volumes.remove_garbage(str(images)) == [f"_remove_me_{IMAGE}"]
    assert (tmp_path / "kept").is_dir() and not (images / f"_remove_me_{IMAGE}").is_symlink()


def test_links_in_the_place_of_data_and_metadata_are_damage(images, tmp_path):
    path = make(images)
    (tmp_path / "secret").write_bytes(b"secret")
    for name in (path, f"{path}.meta"):
        os.unlink(name)
        os.symlink(tmp_path / "secret", name)
    assert volumes.survey_image(str(images), IMAGE) == {os.path.basename(path): (b"", -1, 0)}
    with pytest.raises(OSError):
        volumes.grow_volume(path, 1 << 20)
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_garbage_of_volumes_is_removed_only_if_it_is_asked_for(images):
    path = make(images)
    left = [f"_remove_me_12345678_{VOLUME}", f"_remove_me_12345678_{VOLUME}.meta"]
    for name in left:
        (images / IMAGE / name).write_bytes(b"")
    assert volumes.remove_garbage(str(images)) == []
    assert volumes.remove_garbage(str(images), True) == left
    assert sorted(os.listdir(images / IMAGE)) == sorted([os.path.basename(path), os.path.basename(path) + ".meta"])


def test_the_group_gets_what_the_owner_has(images):
    path = make(images)
    os.chmod(path, 0o600)
    volumes.open_to_group(str(images), IMAGE)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    assert stat.S_IMODE(os.stat(path + ".meta").st_mode) == 0o644
