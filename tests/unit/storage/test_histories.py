"""Any history of storage operations, undisturbed, failing or cut off at any step: guests never see other data.

The room is real but for its processes (contract.storage.light). After every operation all images are looked at: what
a guest would see in every volume, the chain in metadata and in headers, the files that are there, the journal.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from attrs import define, field
from contract.storage.light import BLOCK, Direct, PlayedQemu, Steps, begun, now, seen, write
from contract.storage.room import BLANK, POOL, Room, uuid
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from twisted.internet.task import Clock

from virgate.node.storage.formats.volume_metadata import Legality, VolumeFormat, VolumeRole
from virgate.node.storage.images.chain import Image

RAW, COW = VolumeFormat.RAW, VolumeFormat.COW
BLOCKS = 6
SIZE = BLOCKS * BLOCK
DOMAINS = (1, 2)

steps = st.integers(1, 14)
faults = st.just(None) | st.tuples(steps, st.booleans())
picks = st.integers(0, 1000)


@define
class Known:
    """What must be there: the chain of an image from its base, and what is seen in each volume of it."""

    chain: list[int]
    contents: dict[int, dict[int, int]]
    template: tuple[int, int] | None = None
    """Image and volume that it is based on."""
    shared: bool = False

    def copy(self):
        contents = {volume: dict(content) for volume, content in self.contents.items()}
        return Known(list(self.chain), contents, self.template, self.shared)


Place = tuple[int, int]
"""Domain and image."""


@define(eq=False)
class House:
    """A room, its steps, and its verbs with what they leave."""

    base: Path
    steps: Steps = field(factory=Steps)
    room: Room = field(init=False)

    def __attrs_post_init__(self):
        self.open()

    def open(self):
        self.room = Room(self.base, clock=Clock(), helpers=Direct(self.steps), qemu=PlayedQemu(steps=self.steps))
        now(self.room.start())

    def reopen(self):
        """After kill -9, on the same host."""
        begun(self.room.die())
        self.steps.hung = False
        self.open()
        now(self.room.connect())
        now(self.room.start_spm())

    def run(self, fault, verb, *arguments):
        """Whether the verb and its task succeeded; None if a crash leaves that open."""
        self.steps.left, self.steps.hangs = fault or (None, False)
        came = begun(self.room.call(verb, *arguments))
        self.steps.left = None
        if self.steps.hung:
            self.reopen()
            results = [self.end(task) for task in now(self.room.ask("getAllTasksStatuses"))["allTasksStatus"]]
            return results == ["success"] or None
        (answer,) = came
        if answer["status"]["code"]:
            return False
        if "uuid" not in answer:
            return True
        return self.end(answer["uuid"]) == "success"

    def end(self, task):
        status = now(self.room.ask("getTaskStatus", task))["taskStatus"]
        if status["taskState"] != "finished":  # what failed is tried again
            self.room.storage.clock.advance(1)
            status = now(self.room.ask("getTaskStatus", task))["taskStatus"]
        assert status["taskState"] == "finished", status
        assert status["taskResult"] in ("success", "cleanSuccess"), status
        now(self.room.ask("clearTask", task))
        return status["taskResult"]

    def images(self, domain):
        return self.base / f"dom{domain}" / uuid(2, domain) / "images"

    def folder(self, place):
        return self.images(place[0]) / uuid(3, place[1])

    def allocation(self, domain, form):
        """What a new volume there is asked to be."""
        return 2

    def capacities(self, place):
        """What the metadata of a volume there may say."""
        return {SIZE}

    def names(self, place):
        """The files of an image."""
        return {path.name for path in self.folder(place).iterdir()}

    def shown(self, domain):
        """The images of a domain."""
        if not self.images(domain).exists():
            return None
        return {path.name for path in self.images(domain).iterdir() if not path.name.startswith("_remove_me_")}

    def files_of(self, place, volumes):
        """What an image of these volumes consists of."""
        return {f"{uuid(4, number)}{ending}" for number in volumes for ending in ("", ".meta")}

    def survey(self, place) -> Image:
        found = now(self.room.storage.domains.find(uuid(2, place[0])))
        return now(found.images.survey(uuid(3, place[1])))

    def is_played(self, what):
        """Findings about data that are only played."""
        return what.endswith("no qcow2")

    def journal(self):
        return list((self.images(1).parent / "master" / "tasks").iterdir())


class Histories(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(os, "fsync", lambda file: None)  # nothing here loses its power
        self.patch.setattr(os, "O_DIRECT", 0)
        self.base = Path(tempfile.mkdtemp(prefix="history-"))
        self.house = self.make(self.base)
        self.known: dict[Place, Known] = {}
        self.number = 0

    def make(self, base):
        return House(base)

    def teardown(self):
        begun(self.house.room.stop())
        shutil.rmtree(self.base)
        self.patch.undo()

    # what is done

    @initialize()
    def open(self):
        now(self.house.room.pool(domains=2))

    @rule(form=st.sampled_from([RAW, COW]), domain=st.sampled_from(DOMAINS), fault=faults)
    def make_image(self, form, domain, fault):
        place, volume = (domain, self.new()), self.new()
        if self.create(fault, place, volume, form):
            self.known[place] = Known([volume], {volume: {}})

    @precondition(lambda self: self.writable())
    @rule(which=picks, content=st.dictionaries(st.integers(0, BLOCKS - 1), st.integers(0, 3), max_size=4))
    def guest_writes(self, which, content):
        place, known = self.pick(self.writable(), which)
        leaf = known.chain[-1]
        write(self.house.folder(place) / uuid(4, leaf), self.form(place, leaf), content)
        seen_now = {**known.contents[leaf], **content}
        known.contents[leaf] = {block: value for block, value in seen_now.items() if value}

    @precondition(lambda self: self.writable())
    @rule(which=picks, fault=faults)
    def snapshot(self, which, fault):
        place, known = self.pick(self.writable(), which)
        leaf, volume = known.chain[-1], self.new()
        if self.create(fault, place, volume, COW, (place[1], leaf)):
            known.chain.append(volume)
            known.contents[volume] = dict(known.contents[leaf])

    @precondition(lambda self: any(len(known.chain) > 1 for _, known in self.writable()))
    @rule(which=picks, first=picks, last=picks, fault=faults)
    def merge(self, which, first, last, fault):
        place, known = self.pick([(p, k) for p, k in self.writable() if len(k.chain) > 1], which)
        last = 1 + last % (len(known.chain) - 1)
        first = first % last
        ids = [uuid(4, known.chain[first]), uuid(4, known.chain[last])]
        done = self.run(fault, "mergeSnapshots", uuid(2, place[0]), POOL, BLANK, uuid(3, place[1]), *ids, place=place)
        if done or (done is None and self.merged(place, known, first, last)):
            gone = known.chain[first:last]
            del known.chain[first:last]
            for volume in gone:
                del known.contents[volume]
            self.check_gone(place, gone)

    @precondition(lambda self: any(len(known.chain) > 1 for _, known in self.writable()))
    @rule(which=picks, fault=faults)
    def delete_leaf(self, which, fault):
        place, known = self.pick([(p, k) for p, k in self.writable() if len(k.chain) > 1], which)
        leaf = known.chain.pop()
        del known.contents[leaf]
        self.insist(fault, "deleteVolume", uuid(2, place[0]), POOL, uuid(3, place[1]), [uuid(4, leaf)], gone=201)

    @precondition(lambda self: self.deletable())
    @rule(which=picks, fault=faults)
    def delete_image(self, which, fault):
        place, _ = self.pick(self.deletable(), which)
        del self.known[place]
        self.insist(fault, "deleteImage", uuid(2, place[0]), POOL, uuid(3, place[1]), gone=268)

    @precondition(lambda self: self.known)
    @rule(which=picks, level=picks, form=st.sampled_from([RAW, COW]), to=st.sampled_from(DOMAINS), fault=faults)
    def copy_to_template(self, which, level, form, to, fault):
        (domain, image), known = self.pick(self.known.items(), which)
        source = known.chain[level % len(known.chain)]
        target, volume = (to, self.new()), self.new()
        ids = [uuid(3, image), uuid(4, source), uuid(3, target[1]), uuid(4, volume)]
        wanted = (6, form.value, self.house.allocation(to, form))
        if self.run(fault, "copyImage", uuid(2, domain), POOL, BLANK, *ids, "", uuid(2, to), *wanted, place=target):
            self.known[target] = Known([volume], {volume: dict(known.contents[source])}, shared=True)

    @precondition(lambda self: self.templates())
    @rule(which=picks, fault=faults)
    def clone(self, which, fault):
        (domain, image), known = self.pick(self.templates(), which)
        place, volume, source = (domain, self.new()), self.new(), known.chain[0]
        if self.create(fault, place, volume, COW, (image, source)):
            content = dict(known.contents[source])
            self.known[place] = Known([volume], {volume: content}, template=(image, source))

    @precondition(lambda self: self.movable())
    @rule(which=picks, operation=st.sampled_from([1, 2]), fault=faults)
    def move(self, which, operation, fault):
        (domain, image), known = self.pick(self.movable(), which)
        other = 3 - domain
        ids = [uuid(2, domain), uuid(2, other), uuid(3, image)]
        if self.run(fault, "moveImage", POOL, *ids, BLANK, operation, place=(other, image)):
            self.known[other, image] = known.copy()
            if operation == 2:
                del self.known[domain, image]
                if fault and uuid(3, image) in (self.house.shown(domain) or ()):  # it was not deleted: that is logged
                    self.insist(None, "deleteImage", uuid(2, domain), POOL, uuid(3, image), gone=268)

    @precondition(lambda self: self.movable())
    @rule(which=picks)
    def copy_in_two_steps(self, which):
        (domain, image), known = self.pick(self.movable(), which)
        ids = [uuid(2, domain), uuid(3, image), uuid(2, 3 - domain)]
        assert self.house.run(None, "cloneImageStructure", POOL, *ids)
        if len(known.chain) > 1:
            assert self.house.run(None, "syncImageData", POOL, *ids, "INTERNAL")
        assert self.house.run(None, "syncImageData", POOL, *ids, "LEAF")
        self.known[3 - domain, image] = known.copy()

    @precondition(lambda self: self.movable())
    @rule(which=picks, count=st.integers(1, 3), fault=faults)
    def move_many(self, which, count, fault):
        """All of them or none."""
        (domain, _), _ = self.pick(self.movable(), which)
        chosen = [place for place, _ in sorted(self.movable(), key=lambda entry: entry[0]) if place[0] == domain]
        chosen = chosen[:count]
        wanted = {uuid(3, image): "false" for _, image in chosen}
        ends = (uuid(2, domain), uuid(2, 3 - domain))
        if self.run(fault, "moveMultipleImages", POOL, *ends, wanted, BLANK, place=chosen):
            for place in chosen:
                self.known[3 - domain, place[1]] = self.known.pop(place)
                if fault and uuid(3, place[1]) in (self.house.shown(domain) or ()):
                    self.insist(None, "deleteImage", uuid(2, domain), POOL, uuid(3, place[1]), gone=268)

    @precondition(lambda self: self.raw_leaves())
    @rule(which=picks, fault=faults)
    def extend(self, which, fault):
        """What a guest saw it still sees; the metadata say what there is."""
        place, known = self.pick(self.raw_leaves(), which)
        ids = (uuid(2, place[0]), uuid(3, place[1]), uuid(4, known.chain[-1]))
        size = self.house.survey(place).volume(ids[-1]).metadata.capacity.bytes
        self.run(fault, "extendVolumeSize", POOL, *ids, str(size), place=place)

    @rule()
    def restart(self):
        self.house.reopen()

    # what must be true

    @invariant()
    def guests_see_what_they_wrote(self):
        for place, known in self.known.items():
            for volume in known.chain:
                found = seen(self.house.folder(place) / uuid(4, volume), self.form(place, volume))
                assert found == known.contents[volume], (place, volume)

    @invariant()
    def metadata_tell_the_chain(self):
        for place, known in self.known.items():
            survey = self.house.survey(place)
            base = [known.template[1]] if known.template else []
            assert [volume.id for volume in survey.chain()] == [uuid(4, number) for number in base + known.chain]
            for number in known.chain:
                metadata = survey.volume(uuid(4, number)).metadata
                role = VolumeRole.LEAF if number == known.chain[-1] else VolumeRole.INTERNAL
                assert metadata.legality is Legality.LEGAL
                assert metadata.role is (VolumeRole.SHARED if self.is_shared(place) else role)
                assert metadata.domain == uuid(2, place[0])
                assert metadata.capacity.bytes in self.house.capacities(place)
            leaf = uuid(4, known.chain[-1])
            ids = (uuid(2, place[0]), uuid(3, place[1]))
            real = now(self.house.room.ask("reconcileVolumeChain", POOL, *ids, leaf))["volumes"]
            assert real == [volume.id for volume in survey.chain()]

    @invariant()
    def nothing_else_is_there(self):
        for domain in DOMAINS:
            wanted = {uuid(3, image) for place, image in self.known if place == domain}
            assert self.house.shown(domain) in (None, wanted)
        for place, known in self.known.items():
            volumes = [*known.chain, *([known.template[1]] if known.template else [])]
            assert self.house.names(place) == self.house.files_of(place, volumes)
        if self.known:
            assert self.house.journal() == []

    @invariant()
    def every_domain_is_sound(self):
        if not self.house.journal():  # what a task that ended badly left is its to undo
            for domain in DOMAINS:
                report = now(self.house.room.ask("checkStorageDomain", uuid(2, domain)))["check"]
                findings = [one for one in report["findings"] if one["severity"] != "note"]
                assert [one for one in findings if not self.house.is_played(one["what"])] == []

    # how it is asked for

    def new(self):
        self.number += 1
        return self.number

    def pick(self, places, which):
        found = sorted(places, key=lambda entry: entry[0])
        return found[which % len(found)]

    def is_shared(self, place):
        return self.known[place].shared

    def writable(self):
        return [(place, known) for place, known in self.known.items() if not known.shared]

    def templates(self):
        return [(place, known) for place, known in self.known.items() if known.shared]

    def deletable(self):
        used = {(place[0], known.template[0]) for place, known in self.known.items() if known.template}
        return [(place, known) for place, known in self.known.items() if place not in used]

    def movable(self):
        """To the other domain: what is not there yet, and lies on nothing that is not there."""
        return [
            (place, known)
            for place, known in self.deletable()
            if (3 - place[0], place[1]) not in self.known and not known.template
        ]

    def raw_leaves(self):
        return [(place, known) for place, known in self.writable() if self.form(place, known.chain[-1]) is RAW]

    def form(self, place, volume):
        return self.house.survey(place).volume(uuid(4, volume)).metadata.format

    def create(self, fault, place, volume, form, parent=None):
        source = (uuid(3, parent[0]), uuid(4, parent[1])) if parent else (BLANK, BLANK)
        ids = (uuid(2, place[0]), POOL, uuid(3, place[1]))
        allocation = self.house.allocation(place[0], form)
        wanted = (str(SIZE), form.value, allocation, "DATA", uuid(4, volume), "")
        return self.run(fault, "createVolume", *ids, *wanted, *source, place=place)

    def run(self, fault, verb, *arguments, place):
        """Like `House.run`; a crash is a success if what was to be made is there."""
        note(f"{verb} at {place}, fault {fault}")
        before = len(self.house.steps.names)
        done = self.house.run(fault, verb, *arguments)
        note(f"  -> {done}, steps {self.house.steps.names[before:]}")
        if fault is None:
            assert done, verb
        return done

    def merged(self, place, known, first, last):
        survey = self.house.survey(place)
        return survey.volume(uuid(4, known.chain[last])).metadata.parent != uuid(4, known.chain[last - 1])

    def check_gone(self, place, gone):
        """Nobody sees merged volumes; those that could not be deleted go with the next SPM."""
        assert not {uuid(4, number) for number in gone} & self.house.survey(place).volumes.keys()
        if any(name.startswith("_remove_me_") for name in self.house.names(place)):
            self.house.reopen()

    def insist(self, fault, verb, *arguments, gone):
        """A deletion that did not come to its end is asked for again; then it is done, or was."""
        if not self.run(fault, verb, *arguments, place=arguments):
            answer = now(self.house.room.call(verb, *arguments))
            code = answer["status"]["code"]
            if "uuid" in answer:
                code = now(self.house.room.ask("getTaskStatus", answer["uuid"]))["taskStatus"]["code"]
                self.house.end(answer["uuid"])
            assert code in (0, gone, 268), answer


TestHistories = pytest.mark.timeout(120)(Histories.TestCase)
TestHistories.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
