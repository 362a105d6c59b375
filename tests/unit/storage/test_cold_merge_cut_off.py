"""A merge into the base, cut off before each of its changes in turn: the guest's data stay, and the step is done again.

The room is real but for its processes, as in `test_killed_at_every_step`.
"""

import pytest
from contract.storage.light import begun, load, now, save, seen
from contract.storage.room import POOL, uuid
from unit.storage.test_histories import SIZE
from unit.storage.test_killed_at_every_step import Scene, i, ids, scene, v

from virgate.node.storage.formats.volume_metadata import Legality, VolumeFormat

__all__ = ["scene"]
MERGES = {
    "an inner volume into a raw base": (1, 1, 2, 3),
    "the leaf": (1, 2, 3, 2),
    "an inner volume into a cow base": (5, 5, 6, 7),
}
"""Image, base, top, and the volume that shows all afterwards."""
STEPS = ("prepareMerge", "sdmMerge", "finalizeMerge", "deleteVolume")


def ask(one: Scene, verb, image, base, top, job):
    """The replies, empty if it was cut off."""
    pair = {"sd_id": uuid(2, one.there), "img_id": i(image), "base_id": v(base), "top_id": v(top)}
    arguments = {"sdmMerge": (uuid(9, job), pair), "deleteVolume": ids(one, "d", "p", i(image), [v(top)])}
    return begun(one.house.room.call(verb, *arguments.get(verb, (POOL, pair))))


def ended(one: Scene, verb, answer, job):
    """The code with which the step ended."""
    if answer["status"]["code"] or verb != "sdmMerge":
        code = answer["status"]["code"]
        if "uuid" in answer:
            code = now(one.house.room.ask("getTaskStatus", answer["uuid"]))["taskStatus"]["code"]
            one.house.end(answer["uuid"])
        return code
    told = now(one.house.room.ask("getJobs", "", [uuid(9, job)]))["jobs"][uuid(9, job)]
    assert told["status"] in ("done", "failed"), told
    return told.get("error", {}).get("code", 0)


def shown(one: Scene, image, volume):
    metadata = one.house.survey((one.there, image)).volume(v(volume)).metadata
    return seen(one.path(image, volume), metadata.format)


def grow(one: Scene, image, top):
    """As a guest's disk that was made larger after the snapshot."""
    path = one.path(image, top)
    save(path, load(path) | {"size": 2 * SIZE})
    now(one.house.room.ask("volumeSetSize", uuid(2, one.there), POOL, i(image), v(top), str(2 * SIZE)))


@pytest.mark.parametrize("name", MERGES)
def test_a_merge_that_is_cut_off_anywhere_ends_when_its_step_is_asked_for_again(scene, name):
    image, base, top, last = MERGES[name]
    number, hung = 0, True
    while hung:
        number += 1
        assert number < 60
        one = scene((image,))
        end = max(last, top)
        grow(one, image, top)
        content = one.contents[image, end]
        one.house.steps.left, one.house.steps.hangs, hung = number, True, False
        for job, verb in enumerate(STEPS, 1):
            came = ask(one, verb, image, base, top, job)
            if one.house.steps.hung:
                hung, one.house.steps.left = True, None
                one.start_again()
                for task in now(one.house.room.ask("getAllTasksStatuses"))["allTasksStatus"]:
                    one.house.end(task)
                check_cut_off(one, image, base, end, verb, content)
                came = ask(one, verb, image, base, top, job)
                fine = {"finalizeMerge": (0,), "deleteVolume": (0, 201)}.get(verb, (0,))
                assert ended(one, verb, came[0], job) in fine, (verb, number)
            else:
                assert ended(one, verb, came[0], job) == 0, (verb, number)
        one.house.steps.left = None
        check_whole(one, image, base, top, last, content)
    assert number > len(STEPS)


def check_cut_off(one, image, base, end, verb, content):
    """Before the top is deleted everything is seen through it; what is not whole says so."""
    survey = one.house.survey((one.there, image))
    if v(end) in survey.volumes:
        assert shown(one, image, end) == content
    else:
        assert verb == "deleteVolume"
    illegal = survey.illegal()
    assert set(illegal) <= {v(base)} if verb in STEPS[:2] else v(base) not in illegal
    errors = [what for _, what in one.findings() if "ILLEGAL" not in what and "INTERNAL" not in what]
    if verb != "deleteVolume":
        assert all("its data are based on" in what or "its disk has" in what for what in errors), errors
    now(one.house.room.ask("getVolumesList", uuid(2, one.there), POOL, i(image)))


def check_whole(one, image, base, top, last, content):
    survey = one.house.survey((one.there, image))
    assert v(top) not in survey.volumes
    assert shown(one, image, last) == content
    merged = survey.volume(v(base)).metadata
    assert (merged.legality, merged.capacity.bytes >= 2 * SIZE) == (Legality.LEGAL, True)
    if merged.format is VolumeFormat.COW:
        assert load(one.path(image, base))["size"] == merged.capacity.bytes
    assert list(one.findings()) == []
    assert now(one.house.room.ask("getAllTasksStatuses"))["allTasksStatus"] == {}
