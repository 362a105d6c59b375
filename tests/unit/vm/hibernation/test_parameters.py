"""What is kept of a machine's parameters and what becomes of it: one function undoes the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.vm.hibernation.handle import Handle
from virgate.node.vm.hibernation.parameters import OWN, PASSING, REMOVED, WAYS, kept, woken

HANDLE = Handle.parse("d,p,i1,v1,i2,v2")
NAMES = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1)
LOST = OWN | PASSING | REMOVED | WAYS | {"xml"}
CONFS = st.dictionaries(NAMES.filter(lambda name: name not in LOST), st.text())


@given(CONFS, CONFS)
def test_what_was_kept_comes_back_and_wins(conf, params):
    found, waking = woken(params, HANDLE, kept(conf, xml_form=False, elapsed=3.5))
    assert found == {**params, **conf}
    assert waking.elapsed == 3.5


def test_the_document_of_the_xml_form_is_the_request_s():
    conf = {"devices": [1], "custom": {}, "memSize": 5, "xml": "<live/>"}
    assert kept(conf, xml_form=True, elapsed=1) == {"memSize": 5, "elapsedTimeOffset": 1}
    assert woken({"xml": "<asked/>"}, HANDLE, {"xml": "<live/>"})[0] == {"xml": "<asked/>"}
    assert woken({}, HANDLE, {"xml": "<live/>"})[0] == {"xml": "<live/>"}


def test_a_volume_cannot_make_a_machine_pass_for_another_or_lead_to_another_volume():
    params = {"vmId": "me", "hiberVolHandle": str(HANDLE)}
    found, waking = woken(params, HANDLE, {"vmId": "you", "vmID": "you", "hiberVolHandle": "x"})
    assert found == {"vmId": "me"}
    assert waking.handle == HANDLE


def test_what_other_hosts_keep_of_the_moment_is_dropped_and_the_request_s_own_is_not():
    found, _ = woken({"username": "asked"}, HANDLE, {"status": "Up", "pid": "3", "guestIPs": "", "_blockJobs": {}})
    assert found == {"username": "asked"}


def test_a_snapshot_says_so_and_brings_its_document():
    found, waking = woken({}, HANDLE, {"restoreFromSnapshot": True, "_srcDomXML": "<domain/>", "elapsedTimeOffset": 2})
    assert found == {}
    assert (waking.from_snapshot, waking.document, waking.elapsed) == (True, "<domain/>", 2.0)


def drive(**files):
    return {"type": "disk", "device": "cdrom", "specParams": {"vmPayload": {"file": files}}}


def test_a_payload_that_a_restart_emptied_is_filled_from_the_request():
    params = {"devices": [drive(other="x"), drive(note="aGVsbG8="), 7, {"specParams": "x"}]}
    plain = {"type": "console"}
    found, _ = woken(params, HANDLE, {"devices": [plain, drive(note=""), drive(unknown=""), drive(other="kept")]})
    assert found["devices"] == [plain, drive(note="aGVsbG8="), drive(unknown=""), drive(other="kept")]


@pytest.mark.parametrize("said", ["", None, "x", -5, float("inf"), float("nan"), [1]])
def test_an_impossible_time_is_none(said):
    assert woken({}, HANDLE, {"elapsedTimeOffset": said})[1].elapsed == 0.0
