"""Every change of several steps, cut off before each of them in turn, and asked for again after the next start.

The room is real but for its processes (contract.storage.light), and domain 2 may be a volume group (half_block). After
the recovery both domains are sound, nothing half made is there, and every volume holds what it held.
"""

import shutil
import tempfile
from pathlib import Path

import pytest
from attrs import define, field
from contract.storage.light import begun, now, seen, write
from contract.storage.room import BLANK, POOL, uuid
from unit.storage.test_block_histories import BlockHouse
from unit.storage.test_histories import COW, RAW, SIZE, House

import virgate.node.storage.domains.domains as domains
from virgate.node.storage.formats.volume_metadata import Legality

FILE, GROUP = 1, 2
MIB = 1 << 20


IMAGES = (
    (1, 1, RAW, None),
    (1, 2, COW, (1, 1)),
    (1, 3, COW, (1, 2)),
    (5, 5, COW, None),
    (5, 6, COW, (5, 5)),
    (5, 7, COW, (5, 6)),
    (9, 9, RAW, None),
    (8, 8, RAW, None),
    (10, 10, COW, (8, 8)),
)
"""Image, volume, format, and the image and volume that it is based on."""


@define
class Scene:
    """Images of one domain, `there`; `other` is the second one. Contents by (image, volume)."""

    house: House
    there: int
    contents: dict = field(factory=dict)

    @property
    def other(self):
        return 3 - self.there

    def set(self, wanted, version):
        """Image 9, and those that are wanted."""
        now(self.house.room.pool(domains=2, version=version))
        for image, volume, form, parent in IMAGES:
            if image in (9, *wanted):
                self.volume(image, volume, form, {volume % 6: volume}, parent)
        return self

    def volume(self, image, volume, form, content, parent=None):
        source = (uuid(3, parent[0]), uuid(4, parent[1])) if parent else (BLANK, BLANK)
        ids = (
            uuid(2, self.there),
            POOL,
            uuid(3, image),
            str(SIZE),
            form.value,
            self.house.allocation(self.there, form),
        )
        assert self.house.run(None, "createVolume", *ids, "DATA", uuid(4, volume), "", *source)
        write(self.path(image, volume), form, content)
        self.contents[image, volume] = (self.contents[parent] if parent else {}) | content

    def path(self, image, volume, domain=None):
        return self.house.folder((domain or self.there, image)) / uuid(4, volume)

    def holds(self, image, volume, domain=None):
        """What is seen in a volume; None if it is not there."""
        place = (domain or self.there, image)
        if uuid(3, image) not in self.house.shown(place[0]):
            return None
        found = self.house.survey(place).volumes.get(uuid(4, volume))
        if found is None:
            return None
        try:
            return seen(self.path(image, volume, domain), found.metadata.format)
        except FileNotFoundError:
            return "nothing that could be read"

    def metadata(self, image, volume):
        return self.house.survey((self.there, image)).volume(uuid(4, volume)).metadata

    def start_again(self):
        """After kill -9. Whoever manages the pool tries its domains: one of them is the master."""
        house = self.house
        begun(house.room.die())
        house.steps.hung = False
        house.open()
        for domain, version in ((1, 1), (2, 2)):
            answer = now(house.room.call("connectStoragePool", POOL, 1, POOL, uuid(2, domain), version))
            if answer["status"]["code"] == 0:
                break
        now(house.room.start_spm())

    def findings(self):
        for domain in (self.there, self.other):
            report = now(self.house.room.ask("checkStorageDomain", uuid(2, domain)))["check"]
            for one in report["findings"]:
                if one["severity"] != "note" and not self.house.is_played(one["what"]):
                    yield one["place"], one["what"]


@define
class Change:
    """`gone` and `made` are (image, volume[, domain]) after its end; `fine` are codes of asking for it again."""

    verb: str
    arguments: object
    made: tuple = ()
    gone: tuple = ()
    fine: tuple = ()
    needs: tuple = (1,)
    """The images that are there besides image 9."""
    like: tuple = ()
    """What each of `made` holds, by the name of a volume of the scene."""
    leaves: bool = False
    """Cut off, it may leave volumes that are illegal until it is asked for again."""
    filled: dict = field(factory=dict)
    """Volumes of the scene that hold something else afterwards: a content, or that of another volume by its name."""
    version: str = "5"
    """Of the domains."""
    before: object = None
    """What the change needs besides the scene; called with it."""
    verify: object = None
    """What else is looked at after the recovery and after the end; called with the scene and `ended`."""


def ids(scene, *numbers):
    kinds = {"d": uuid(2, scene.there), "o": uuid(2, scene.other), "p": POOL, "b": BLANK}
    return [kinds[n] if isinstance(n, str) and n in kinds else n for n in numbers]


def i(number):
    return uuid(3, number)


def v(number):
    return uuid(4, number)


def new(image, volume, form, *parent):
    def arguments(scene):
        wanted = (str(SIZE), form.value, scene.house.allocation(scene.there, form), "DATA", v(volume), "")
        return ids(scene, "d", "p", i(image), *wanted, *(parent or (BLANK, BLANK)))

    return arguments


def given(*numbers):
    return lambda scene: ids(scene, *numbers)


CHANGES = {
    "create": Change("createVolume", new(20, 20, RAW), made=((20, 20),), fine=(212,), needs=()),
    "snapshot": Change("createVolume", new(1, 20, COW, i(1), v(3)), made=((1, 20),), like=((1, 3),), fine=(212,)),
    "clone": Change(
        "createVolume", new(20, 20, COW, i(8), v(8)), made=((20, 20),), like=((8, 8),), fine=(212,),
        needs=(8, 10)),
    "delete a volume": Change(
        "deleteVolume", given("d", "p", i(1), [v(3)]), gone=((1, 3),), fine=(201,), leaves=True
    ),
    "delete volumes": Change(
        "deleteVolume", given("d", "p", i(5), [v(7), v(6), v(5)]), gone=((5, 5), (5, 6), (5, 7)), fine=(201, 268, 254),
        leaves=True, needs=(5,)),
    "delete an image": Change(
        "deleteImage", given("d", "p", i(5)), gone=((5, 5), (5, 6), (5, 7)), fine=(268,), needs=(5,)),
    "copy": Change(
        "copyImage", given("d", "p", "b", i(1), v(3), i(20), v(20), "", "o", 8, 4, 2), made=((20, 20, "o"),),
        like=((1, 3),), fine=(212,),
    ),
    "copy to a template": Change(
        "copyImage", given("d", "p", "b", i(5), v(7), i(20), v(20), "", "d", 6, 3, 0), made=((20, 20),),
        like=((5, 7),), fine=(212,), needs=(5,)),
    "move": Change(
        "moveImage", given("p", "d", "o", i(1), "b", 2), made=((1, 1, "o"), (1, 2, "o"), (1, 3, "o")),
        like=((1, 1), (1, 2), (1, 3)), gone=((1, 1), (1, 2), (1, 3)), fine=(268, 212),
    ),
    "move many": Change(
        "moveMultipleImages", given("p", "d", "o", {i(5): "0", i(9): "0"}, "b"), made=((5, 7, "o"), (9, 9, "o")),
        like=((5, 7), (9, 9)), gone=((5, 5), (5, 6), (5, 7), (9, 9)), fine=(268, 212), needs=(5,)),
    "clone the structure": Change(
        "cloneImageStructure", given("p", "d", i(5), "o"), made=((5, 5, "o"), (5, 7, "o")), like=((), ()), fine=(212,),
        needs=(5,)),
    "merge into one with a parent": Change(
        "mergeSnapshots", given("d", "p", "b", i(1), v(2), v(3)), gone=((1, 2),), fine=(252,),
    ),
    "merge a raw base": Change(
        "mergeSnapshots", given("d", "p", "b", i(1), v(1), v(2)), gone=((1, 1),), fine=(252,),
    ),
    "merge a cow base": Change(
        "mergeSnapshots", given("d", "p", "b", i(5), v(5), v(6)), gone=((5, 5),), fine=(252,), needs=(5,)),
    "merge all": Change(
        "mergeSnapshots", given("d", "p", "b", i(1), v(1), v(3)), gone=((1, 1), (1, 2)), fine=(252,),
    ),
    "extend": Change("extendVolumeSize", lambda s: ids(s, "p", "d", i(9), v(9), str(256 * MIB)), needs=()),
    "attach": Change("attachStorageDomain", given("o", "p"), needs=()),
    "deactivate": Change("deactivateStorageDomain", given(uuid(2, 2), "p", "b", 1), needs=()),
    "migrate the master": Change(
        "deactivateStorageDomain", given(uuid(2, 1), "p", uuid(2, 2), 2), fine=(375, 353, 369, 324), needs=()
    ),
}  # fmt: skip


@pytest.fixture(params=[FILE, GROUP], ids=["files", "group"])
def scene(request, monkeypatch):
    """Makes scenes, each from nothing."""
    memory = Path("/dev/shm")
    tmp_path = Path(tempfile.mkdtemp(prefix="killed-", dir=memory if memory.is_dir() else None))
    monkeypatch.setattr("os.fsync", lambda file: None)
    monkeypatch.setattr("os.O_DIRECT", 0)
    monkeypatch.setattr(domains, "FileDomain", domains.FileDomain)
    made = []

    def scene(wanted, version="5"):
        base = tmp_path / str(len(made))
        base.mkdir()
        kind = House if request.param == FILE else BlockHouse
        made.append(Scene(kind(base), request.param).set(wanted, version))
        return made[-1]

    yield scene
    for one in made:
        begun(one.house.room.stop())
    shutil.rmtree(tmp_path)


def again(scene, change):
    """Asks until it is done; what a merge could not delete is deleted."""
    answer = now(scene.house.room.call(change.verb, *change.arguments(scene)))
    code = answer["status"]["code"]
    if "uuid" in answer:
        status = now(scene.house.room.ask("getTaskStatus", answer["uuid"]))["taskStatus"]
        code = status["code"]
        scene.house.end(answer["uuid"])
    assert code in (0, *change.fine), (answer, code)
    if code and change.verb.startswith("move"):  # the copies were there, so only the sources are left
        for image in {i(image) for image, _ in change.gone}:
            if image in scene.house.shown(scene.there):
                assert scene.house.run(None, "deleteImage", *ids(scene, "d", "p", image))
    for image, volume, *_ in change.gone:
        if change.leaves and scene.holds(image, volume) is not None:
            arguments = ids(scene, "d", "p", i(image), [v(volume)], "", True)
            assert scene.house.run(None, "deleteVolume", *arguments)


def check_filled(scene, change, key, *, ended):
    """It holds the new data, or the old ones, or says that it can hold anything."""
    new = change.filled[key]
    wanted = [scene.contents[new] if isinstance(new, tuple) else new]
    legal = scene.metadata(*key).legality is Legality.LEGAL
    assert legal or not ended
    if not ended:
        wanted.append(scene.contents[key])
    assert not legal or scene.holds(*key) in wanted, key


def check(scene, change, *, ended):
    """`ended`: it was asked for to its end."""
    gone = {tuple(one[:2]) for one in change.gone}
    for key in change.filled:
        check_filled(scene, change, key, ended=ended)
    for (image, volume), content in scene.contents.items():
        if (image, volume) in change.filled:
            continue
        found = scene.holds(image, volume)
        if (image, volume) not in gone:
            assert found == content, (image, volume)
        elif ended:
            assert found is None, (image, volume)
        elif found is not None and not change.leaves:
            assert found == content, (image, volume)
    if ended:
        for number, (image, volume, *domain) in enumerate(change.made):
            like = change.like[number] if number < len(change.like) else ()
            held = scene.holds(image, volume, scene.other if domain else scene.there)
            assert held == scene.contents[like] if like else held is not None, (image, volume)
    if change.verify:
        change.verify(scene, ended)
    left = [what for _, what in scene.findings() if not (change.leaves and not ended)]
    assert left == []
    for domain in (scene.there, scene.other):
        images = scene.house.shown(domain)
        assert not [name for name in images or () if name.startswith("_")]


def cut_off_everywhere(scene, change):
    """Answers how many steps the change has, and one more."""
    step, hung = 0, True
    while hung:
        step += 1
        assert step < 80
        one = scene(change.needs, change.version)
        if change.before:
            change.before(one)
        one.house.steps.left, one.house.steps.hangs = step, True
        came = begun(one.house.room.call(change.verb, *change.arguments(one)))
        one.house.steps.left = None
        hung = one.house.steps.hung
        if hung:
            one.start_again()
            for task in now(one.house.room.ask("getAllTasksStatuses"))["allTasksStatus"]:
                one.house.end(task)
            check(one, change, ended=False)
        else:
            assert came[0]["status"]["code"] == 0, came
            if "uuid" in came[0]:
                one.house.end(came[0]["uuid"])
        again(one, change)
        check(one, change, ended=True)
        assert now(one.house.room.ask("getAllTasksStatuses"))["allTasksStatus"] == {}
    return step


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_cut_off_anywhere_is_whole_after_the_next_start(scene, name):
    assert cut_off_everywhere(scene, CHANGES[name]) > 1 or name == "attach"
