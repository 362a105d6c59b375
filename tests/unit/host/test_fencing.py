"""Fence agents: what they are told, what their answers mean, and when they are not run."""

import stat
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st

from virgate.errors import InvalidParameter
from virgate.node.host.fencing import Fencing, InvalidAction, UnknownAgent, fence, outcome
from virgate.node.storage.errors.leases import LeaseUnknown

REQUEST = {
    "address": "10.0.0.9",
    "port": "",
    "agent": "ipmilan",
    "username": "root",
    "password": "s3cret",
    "action": "status",
}


def request(**changes: Any) -> Fencing:
    return Fencing(**{**REQUEST, **changes})


def test_an_agent_is_told_in_the_order_of_the_contract() -> None:
    told = request(port="7", secure=True, options="lanplus=1\ncipher=3").input.decode()
    assert told.split("\n") == [
        "agent=fence_ipmilan",
        "ipaddr=10.0.0.9",
        "login=root",
        "action=status",
        "passwd=s3cret",
        "port=7",
        "secure=yes",
        "lanplus=1",
        "cipher=3",
    ]


def test_an_empty_port_and_no_security_are_not_told() -> None:
    assert b"port" not in request().input and b"secure" not in request().input


@given(st.sampled_from(["address", "port", "username", "password"]), st.text("ab\r\n\0", min_size=1))
def test_a_value_never_becomes_a_second_order(name: str, text: str) -> None:
    if set(text) & set("\r\n\0"):
        with pytest.raises(InvalidParameter):
            request(**{name: text})
    else:
        assert request(**{name: text}).input.count(b"\n") == (6 if name == "port" else 5)


@pytest.mark.parametrize("agent", ["", "../bin/sh", "a b", "x/y", "ipmi\n"])
def test_an_agent_s_name_is_no_path(agent: str) -> None:
    with pytest.raises(UnknownAgent) as caught:
        request(agent=agent)
    assert caught.value.code == 43


def test_what_no_agent_does_is_refused() -> None:
    with pytest.raises(InvalidAction) as caught:
        request(action="explode")
    assert caught.value.code == 16


def test_the_password_is_not_shown() -> None:
    assert "s3cret" not in repr(request())


@pytest.mark.parametrize(
    ("action", "code", "expected"),
    [
        ("status", 0, (0, "Done", {"power": "on"})),
        ("status", 2, (0, "Done", {"power": "off"})),
        ("status", 1, (1, "said", {"power": "unknown"})),
        ("reboot", 0, (0, "Done", {"power": "unknown", "operationStatus": "initiated"})),
        ("off", 1, (1, "said", {"power": "unknown", "operationStatus": "initiated"})),
        ("on", 2, (2, "said", {"power": "unknown", "operationStatus": "initiated"})),
        ("on", 7, (1, "said", {})),
        ("status", -9, (1, "said", {})),
    ],
)
def test_exit_codes_mean_what_the_contract_says(action: str, code: int, expected: tuple[int, str, Any]) -> None:
    told = outcome(action, code, "said")
    assert (told.code, told.message, told.members) == expected


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    program = tmp_path / "fence_ipmilan"
    program.write_text(f'#!/bin/sh\ncat > {tmp_path}/told\necho "login s3cret refused"\nexit $(cat {tmp_path}/code)\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "code").write_text("0")
    return tmp_path


async def nobody(domain: str, host: int) -> bool:
    return False


@pytest_twisted.ensureDeferred
async def test_the_agent_runs_and_reads_its_orders(agents: Path) -> None:
    assert (await fence(request(), {}, nobody, agents)).members == {"power": "on"}
    assert (agents / "told").read_bytes() == request().input


@pytest_twisted.ensureDeferred
async def test_what_an_agent_says_reaches_the_client_without_the_password(agents: Path) -> None:
    (agents / "code").write_text("1")
    told = await fence(request(action="off"), {}, nobody, agents)
    assert told.code == 1 and told.message == "login *** refused\n"


@pytest_twisted.ensureDeferred
async def test_an_agent_that_is_not_there_is_unknown(agents: Path) -> None:
    with pytest.raises(UnknownAgent, match="fence-agents"):
        await fence(request(agent="apc"), {}, nobody, agents)


@pytest.mark.parametrize(("action", "runs"), [("reboot", False), ("status", True)])
@pytest_twisted.ensureDeferred
async def test_a_host_that_renews_its_leases_is_not_fenced_but_may_be_looked_at(
    agents: Path, action: str, runs: bool
) -> None:
    asked = []

    async def lives(domain: str, host: int) -> bool:
        asked.append((domain, host))
        return domain == "two"

    told = await fence(request(action=action), {"storageDomainHostIdMap": {"one": "3", "two": 4}}, lives, agents)
    assert (agents / "told").exists() is runs
    if not runs:
        assert asked == [("one", 3), ("two", 4)]
        assert (told.code, told.members) == (0, {"operationStatus": "skipped"})


@pytest_twisted.ensureDeferred
async def test_storage_that_cannot_be_asked_keeps_nobody_from_fencing(agents: Path) -> None:
    async def broken(domain: str, host: int) -> bool:
        raise LeaseUnknown(domain, "host 3", "it hangs")

    told = await fence(request(action="off"), {"storageDomainHostIdMap": {"one": 3}}, broken, agents)
    assert told.members["operationStatus"] == "initiated"
