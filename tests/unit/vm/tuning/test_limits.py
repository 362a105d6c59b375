"""Limits of disks merged and judged; the policy as metadata keep it."""

from typing import Any

import pytest
from hypothesis import given, strategies

from virgate.domxml import tree
from virgate.domxml.devices.tune import LIMITS
from virgate.node.vm.tuning import qos
from virgate.node.vm.tuning.limits import BadLimits, merged
from virgate.node.vm.tuning.qos import DevicePolicy, Policy

NUMBERS = strategies.integers(0, 1 << 62)
VALUES = strategies.dictionaries(strategies.sampled_from(LIMITS), NUMBERS)
NAMES = strategies.text("abcdefgh/<&>\"' ", max_size=8)
DEVICES = strategies.builds(DevicePolicy, NAMES, NAMES, VALUES, VALUES).filter(lambda one: one.name or one.path)
LIMIT = strategies.one_of(strategies.just(""), strategies.integers(0, 1000).map(str))
POLICIES = strategies.builds(Policy, LIMIT, strategies.lists(DEVICES, max_size=4).map(tuple))


def test_what_is_not_said_stays_and_all_six_are_told() -> None:
    now = merged({"total_bytes_sec": 5}, {"read_iops_sec": "7"})
    assert now == dict.fromkeys(LIMITS, 0) | {"total_bytes_sec": 5, "read_iops_sec": 7}


@pytest.mark.parametrize(
    ("current", "wanted"),
    [
        ({"total_bytes_sec": 5}, {"read_bytes_sec": 1}),
        ({}, {"total_iops_sec": 1, "write_iops_sec": 1}),
        ({}, {"total_bytes_sec": -1}),
        ({}, {"total_bytes_sec": "many"}),
        ({}, {"total_bytes_sec": True}),
        ({}, {"speed": 1}),
    ],
)
def test_what_no_disk_can_have_is_refused(current: dict[str, int], wanted: dict[str, Any]) -> None:
    with pytest.raises(BadLimits):
        merged(current, wanted)


def test_a_total_gives_way_when_it_is_taken_back() -> None:
    assert merged({"total_bytes_sec": 5}, {"total_bytes_sec": 0, "read_bytes_sec": 1})["read_bytes_sec"] == 1


@given(POLICIES)
def test_a_policy_is_read_as_it_was_written(policy: Policy) -> None:
    assert qos.read(tree.parse(qos.rewritten(None, policy))) == policy


@given(POLICIES)
def test_writing_replaces_and_leaves_what_is_not_ours(policy: Policy) -> None:
    before = '<o:qos xmlns:o="http://ovirt.org/vm/tune/1.0"><o:vcpuLimit>1</o:vcpuLimit><o:other a="b"/></o:qos>'
    after = qos.rewritten(before, policy)
    assert qos.read(tree.parse(after)) == policy
    assert '<other a="b"/>' in after and "xmlns" not in after


@given(POLICIES)
def test_asking_for_what_is_there_changes_nothing(policy: Policy) -> None:
    once = Policy(policy.vcpu_limit).merged(policy.devices)
    assert once.merged(once.devices) == once


def test_a_disk_is_known_by_its_name_and_else_by_its_path() -> None:
    policy = Policy().merged([DevicePolicy("vda", "/a", {"total_bytes_sec": 1}), DevicePolicy("", "/b", {})])
    assert len(policy.merged([DevicePolicy("vda", "/other")]).devices) == 2
    assert len(policy.merged([DevicePolicy("vdb", "/a")]).devices) == 3
    assert policy.merged([DevicePolicy("vdb", "/b")]).devices[1].name == "vdb"


@pytest.mark.parametrize(
    "inside",
    [
        "<maximum><total_bytes_sec>many</total_bytes_sec></maximum>",
        "<sideways><total_bytes_sec>1</total_bytes_sec></sideways>",
        "<maximum><speed>1</speed></maximum>",
    ],
)
def test_what_strangers_wrote_is_passed_over(inside: str) -> None:
    text = f"<qos><ioTune><device name='vda'>{inside}</device></ioTune></qos>"
    assert qos.read(tree.parse(text)) == Policy("", (DevicePolicy("vda"),))


def test_a_policy_is_told_as_clients_know_it() -> None:
    told = DevicePolicy("vda", "", {"total_bytes_sec": 5}, {}).members
    assert told == {"name": "vda", "maximum": {"total_bytes_sec": 5}, "guaranteed": {}}
