"""Steps of a rollback as they may be found in a journal: ours, an oVirt host's, and ones that mean nothing."""

import pytest
import pytest_twisted

from virgate.errors import InvalidParameter
from virgate.hookspecs.storage import Kind
from virgate.node.storage.errors import NoSuchImage
from virgate.node.storage.formats.task_files import Recovery
from virgate.node.storage.formats.volume_metadata import VolumeFormat
from virgate.node.storage.images import rollback
from virgate.node.tasks.recoveries import Recoveries

SP, SD, IMG, VOL = (f"5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e{kind}001" for kind in (1, 2, 3, 4))
FOLDER = f"/rhev/data-center/{SP}/{SD}/images/{IMG}"


class Images:
    """An image store that notes what is asked of it; the image is gone."""

    def __init__(self):
        self.asked = []

    async def survey(self, image):
        raise NoSuchImage(image, SD)

    async def remove_empty_image(self, image):
        self.asked.append(("remove_empty_image", image))

    async def remove(self, image, volume):
        self.asked.append(("remove", image, volume))

    async def rename(self, image, volume, name):
        self.asked.append(("rename", image, volume, name))


class Domains:
    id = SD

    def __init__(self, kind=Kind.FILE):
        self.images, self.kind = Images(), kind

    async def find(self, domain):
        assert domain == SD
        return self


@pytest.fixture
def domains():
    return Domains()


@pytest.fixture
def recoveries(domains):
    made = Recoveries()
    rollback.Rollback(domains, None).register(made)
    return made


def ours(kind):
    domain = Domains(kind)
    return [
        rollback.undo_image(FOLDER),
        rollback.sentinel(domain, IMG, VOL),
        rollback.undo_half(domain, VOL, f"{FOLDER}/{VOL}"),
        rollback.undo_metadata(domain, f"{FOLDER}/{VOL}"),
        rollback.undo_share(domain, f"{FOLDER}/{VOL}"),
        rollback.undo_parent(SD, IMG, VOL),
        rollback.undo_volume(domain, f"/rhev/data-center/{SP}", IMG, VOL),
        rollback.undo_rename(domain, FOLDER, VOL, f"{VOL}_MERGE"),
    ]


OURS = [*ours(Kind.FILE), *ours(Kind.BLOCK)]


@pytest.mark.parametrize("step", OURS, ids=lambda step: step.function)
@pytest_twisted.ensureDeferred
async def test_every_step_we_write_is_known_and_bears_that_there_is_nothing_to_undo(recoveries, step):
    assert step in recoveries
    await recoveries.run(step)


def test_the_steps_of_rebase_and_size_are_known_too(recoveries):
    assert rollback.undo_rebase(SD, IMG, VOL, VolumeFormat.RAW, VOL) in recoveries
    assert rollback.settle_size(SD, IMG, VOL) in recoveries


@pytest.mark.parametrize(
    "object, function, params",
    [
        ("Image", "createImageRollback", (FOLDER,)),
        ("StorageDomain", "create_image_rollback", (FOLDER,)),
        ("FileVolume", "startCreateVolumeRollback", (SD, IMG, VOL)),
        ("GlusterVolume", "startCreateVolumeRollback", (SD, IMG, VOL)),
        ("FileVolume", "halfbakedVolumeRollback", (f"{FOLDER}/{VOL}",)),
        ("FileVolume", "halfbakedVolumeRollback", (SD, VOL, f"{FOLDER}/{VOL}")),
        ("FileVolume", "createVolumeRollback", (SP, SD, IMG, VOL, FOLDER)),
        ("FileVolume", "renameVolumeRollback", (f"{FOLDER}/a", f"{FOLDER}/b")),
        ("Volume", "killProcRollback", ("1", "2")),
    ],
)
@pytest_twisted.ensureDeferred
async def test_steps_of_every_version_of_old_hosts_are_run(recoveries, object, function, params):
    await recoveries.run(Recovery("x", "m", object, function, params))


@pytest_twisted.ensureDeferred
async def test_a_renamed_volume_gets_its_name_back(recoveries, domains):
    await recoveries.run(rollback.undo_rename(domains, FOLDER, VOL, f"{VOL}_MERGE"))
    assert domains.images.asked == [("rename", IMG, f"{VOL}_MERGE", VOL)]


@pytest.mark.parametrize("path", ["/etc/passwd", "", "images", f"/{SD}/{IMG}/{VOL}", f"/{SD}/other/{IMG}/{VOL}"])
@pytest_twisted.ensureDeferred
async def test_a_path_outside_of_images_is_never_touched(recoveries, domains, path):
    with pytest.raises(InvalidParameter):
        await recoveries.run(rollback.undo_metadata(domains, path))
    assert domains.images.asked == []
