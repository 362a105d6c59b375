"""Merges from their beginning to their end, on a hypervisor that is played."""

import pytest
from attrs import evolve
from unit.vm.blocks.conftest import BASE, DOMAIN, DRIVE, FOLDER, IMAGE, INVALID, MIDDLE, NEW, REFUSED, TOP, now

from virgate.libvirt.errors import HypervisorAway
from virgate.node.storage.errors import DomainNotActive
from virgate.node.vm.blocks import kept
from virgate.node.vm.blocks.errors import BaseTooSmall, MergeFailed, NoSuchDrive, NotUnderWay
from virgate.node.vm.blocks.merging import Wanted

COMMIT, ACTIVE = 3, 4
WANTED = Wanted(DRIVE, BASE, MIDDLE, "job", 7)
TO_THE_TOP = Wanted(DRIVE, MIDDLE, TOP, "job")
READY = f"<mirror type='file' job='active-commit' ready='yes'><source file='{FOLDER}/{MIDDLE}'/></mirror>"


def begin(merges, machine, wanted=WANTED):
    now(merges.begin(machine, wanted))


def hear(merges, machine, status="completed"):
    merges.hear(machine.id, "vda", status)


def jobs(merges):
    return merges.jobs().told("virt")


def test_a_merge_is_told_of_from_its_beginning(machine, played, merges):
    begin(merges, machine)
    assert played.calls == [("commit", "vda", "vda[1]", "vda[2]", 7, 8)]
    assert merges.told(machine.id) == {
        "job": {
            "id": "job",
            "jobType": "block",
            "blockJobType": "commit",
            "bandwidth": 7,
            "cur": "1",
            "end": "10",
            "imgUUID": IMAGE,
        }
    }
    assert jobs(merges)["job"]["status"] == "running"
    assert jobs(merges)["job"]["progress"] == 10
    assert now(kept.read(machine)).merges[0].id == "job"


def test_a_merge_in_the_middle_is_over_when_storage_knows(machine, played, merges, storage):
    begin(merges, machine)
    played.move(BASE, TOP)
    hear(merges, machine)
    assert storage.asked == [("agree", (BASE, TOP), (MIDDLE,))]
    assert merges.told(machine.id) == {}
    assert jobs(merges)["job"]["status"] == "done"
    assert now(kept.read(machine)) == kept.Kept()
    (device,) = [one for one in machine.record.conf["devices"] if one.get("name") == "vda"]
    assert [one["volumeID"] for one in device["volumeChain"]] == [BASE, TOP]


@pytest.mark.parametrize(("chain", "ends"), [((BASE, TOP), "done"), ((BASE, MIDDLE, TOP), "failed")])
def test_a_merge_that_the_hypervisor_was_lost_over_is_a_job_until_it_is_seen_what_became_of_it(
    machine, played, merges, host, chain, ends
):
    played.fail["commit"] = HypervisorAway("uri", "end of file")
    played.act["commit"] = lambda: host.domains.fail.update(on=[played.fail["commit"]] * 3)
    begin(merges, machine)
    assert list(merges.told(machine.id)) == ["job"] and not machine.changing.locked
    host.domains.fail.clear()
    played.move(*chain)
    merges.look_at()
    host.clock.advance(merges.doubt)
    assert jobs(merges)["job"]["status"] == ends
    assert now(kept.read(machine)) == kept.Kept()


def test_the_top_is_illegal_before_the_disk_leaves_it(machine, played, merges, storage):
    begin(merges, machine, TO_THE_TOP)
    assert played.calls[-1][-1] == 12  # relative and active
    played.move(BASE, MIDDLE, TOP, mirror=READY, job=ACTIVE)
    pivot = played.blockJobAbort

    def done(target, flags):
        assert storage.asked == [("agree", (BASE, MIDDLE), (TOP,))]
        pivot(target, flags)
        played.move(BASE, MIDDLE)

    played.host.domains.handles[machine.id] = type(
        "Pivoting", (), {"__getattr__": lambda _, name: getattr(played, name)}
    )()
    played.host.domains.handles[machine.id].blockJobAbort = done
    hear(merges, machine, "ready")
    assert played.names[-1] == "pivot"
    hear(merges, machine)
    assert storage.asked[-1] == ("agree", (BASE, MIDDLE), (TOP,))
    assert machine.record.disks[0].volume_id == MIDDLE
    assert merges.told(machine.id) == {}


def test_a_top_that_could_not_be_left_is_legal_again_and_tried_later(machine, played, merges, storage):
    begin(merges, machine, TO_THE_TOP)
    played.move(BASE, MIDDLE, TOP, mirror=READY, job=ACTIVE)
    played.fail["pivot"] = INVALID
    hear(merges, machine, "ready")
    assert storage.asked[-1] == ("agree", (BASE, MIDDLE, TOP), ())
    assert merges.told(machine.id) != {}
    played.fail.clear()
    played.host.clock.advance(15)
    assert played.names[-1] == "pivot"


def test_a_merge_is_told_of_as_long_as_storage_is_away(machine, played, merges, storage):
    begin(merges, machine)
    played.move(BASE, TOP)
    storage.fail = [DomainNotActive(DOMAIN), OSError("gone")]
    hear(merges, machine)
    assert merges.told(machine.id) != {}
    merges.look_at(domain="another")
    assert len(storage.asked) == 1
    merges.look_at(domain=DOMAIN)
    assert merges.told(machine.id) != {}
    played.host.clock.advance(15)
    assert merges.told(machine.id) == {}


def test_a_job_that_failed_leaves_the_chain_and_is_said_to_have_failed(machine, played, merges, storage):
    begin(merges, machine)
    played.move(BASE, MIDDLE, TOP)
    hear(merges, machine, "failed")
    assert storage.asked == [("agree", (BASE, MIDDLE, TOP), ())]
    assert jobs(merges)["job"]["error"]["code"] == 52
    assert merges.told(machine.id) == {}


def test_for_a_moment_a_job_may_be_gone_before_its_chain_is_told(machine, played, merges, storage):
    begin(merges, machine)
    played.move(BASE, MIDDLE, TOP)
    hear(merges, machine)
    assert storage.asked == []
    played.move(BASE, TOP)
    played.host.clock.advance(2)
    assert storage.asked == [("agree", (BASE, TOP), (MIDDLE,))]


def test_a_job_that_nobody_told_the_end_of_is_given_up_after_a_while(machine, played, merges, storage):
    begin(merges, machine)
    played.move(BASE, MIDDLE, TOP)
    played.host.clock.advance(15)
    assert merges.told(machine.id) != {}
    played.host.clock.advance(2)
    assert merges.told(machine.id) == {}


def test_a_client_may_abort(machine, played, merges):
    begin(merges, machine)
    now(merges.abort("job"))
    assert played.names[-1] == "abort"
    played.move(BASE, MIDDLE, TOP)
    hear(merges, machine, "canceled")
    assert "aborted" in jobs(merges)["job"]["error"]["message"]
    with pytest.raises(NotUnderWay):
        now(merges.abort("job"))


def test_a_hypervisor_that_refuses_leaves_nothing_behind(machine, played, merges):
    played.fail["commit"] = REFUSED
    with pytest.raises(MergeFailed):
        begin(merges, machine)
    assert merges.told(machine.id) == {}
    assert now(kept.read(machine)) == kept.Kept()
    assert not machine.changing.locked


@pytest.mark.parametrize(
    ("wanted", "failure"),
    [
        (evolve(WANTED, drive={**DRIVE, "imageID": "x"}), NoSuchDrive),
        (evolve(WANTED, base=NEW), MergeFailed),
        (evolve(WANTED, top=NEW), MergeFailed),
        (evolve(WANTED, base=MIDDLE, top=BASE), MergeFailed),
        (evolve(WANTED, top=BASE), MergeFailed),
    ],
)
def test_what_is_no_part_of_the_chain_is_refused(machine, played, merges, wanted, failure):
    with pytest.raises(failure):
        begin(merges, machine, wanted)
    assert played.calls == []


def test_an_image_has_one_job_at_a_time(machine, played, merges):
    begin(merges, machine)
    for id in ("job", "other"):
        with pytest.raises(MergeFailed):
            begin(merges, machine, evolve(WANTED, id=id))
    merges.stop()
    played.move(BASE, MIDDLE, TOP, job=COMMIT)
    with pytest.raises(MergeFailed):
        begin(merges, machine, WANTED)


def test_a_template_is_no_base(machine, played, merges, storage):
    storage.infos[BASE] = {"voltype": "SHARED"}
    with pytest.raises(MergeFailed):
        begin(merges, machine)


def test_a_raw_base_on_a_block_domain_must_be_large_enough(machine, played, merges, storage):
    played.kind, played.base = "block", "raw"
    played.show()
    storage.infos[BASE] = {"apparentsize": "999"}
    with pytest.raises(BaseTooSmall):
        begin(merges, machine)
    assert storage.asked == [("refresh", BASE)]
    storage.infos[BASE] = {"apparentsize": "1000"}
    begin(merges, machine)
    assert played.names == ["commit"]


def test_a_thin_base_on_a_block_domain_gets_room_for_both_and_grows_with_the_top(machine, played, merges, storage):
    played.kind = "block"
    played.show()
    storage.infos[MIDDLE] = {"apparentsize": "300"}
    begin(merges, machine)
    assert storage.asked == [("grow", BASE, 1000, 400)]
    now(merges.grown(DOMAIN, MIDDLE, 700))
    assert storage.asked[1:] == [("grow", BASE, 1000, 100)]
    now(merges.grown(DOMAIN, TOP, 700))
    assert len(storage.asked) == 2


def test_a_machine_that_is_down_has_no_merges(machine, played, merges):
    begin(merges, machine)
    merges.lost(machine.id)
    assert merges.told(machine.id) == {}
    assert jobs(merges)["job"]["status"] == "failed"


def test_while_a_merge_waits_for_its_turn_nothing_is_done(machine, played, merges, storage):
    begin(merges, machine)
    played.move(BASE, TOP)
    held = machine.changing.acquire()
    assert held.called
    hear(merges, machine)
    hear(merges, machine)
    assert storage.asked == []
    machine.changing.release()
    assert storage.asked == [("agree", (BASE, TOP), (MIDDLE,))]
