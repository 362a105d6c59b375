"""QEMU guest agents without a hypervisor: every question is noted with its time and answered from a table."""

import json
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.task import Clock

from virgate.libvirt import agent as hypervisor
from virgate.node.guest.agent import GuestAgent
from virgate.node.guest.qemu.poller import QemuPoller
from virgate.node.guest.settings import GuestSettings

VM = "11111111-1111-4111-8111-111111111111"
COMMANDS = ["guest-info"] + [
    f"guest-get-{what}" for what in ("vcpus", "devices", "users", "osinfo", "timezone", "host-name", "fsinfo", "disks")
]
COMMANDS.append("guest-network-get-interfaces")
LINK_LOCAL = {"eth0": {"hwaddr": "52:54:00:00:00:01", "addrs": [{"addr": "fe80::1", "type": 1, "prefix": 64}]}}
ADDRESS = {"eth0": {"hwaddr": "52:54:00:00:00:01", "addrs": [{"addr": "192.0.2.7", "type": 0, "prefix": 24}]}}


def domain(state: str) -> str:
    target = f"<target type='virtio' name='org.qemu.guest_agent.0' state='{state}'/>"
    return f"<domain><devices><channel type='unix'>{target}</channel></devices></domain>"


@define
class Asked:
    """One agent on a clock. `asked` has time and question; `fail` is raised by the next one."""

    clock: Clock = field(factory=Clock)
    asked: list[tuple[float, str]] = field(factory=list)
    addresses: dict[str, Any] = field(factory=lambda: dict(LINK_LOCAL))
    information: dict[str, Any] = field(factory=dict)
    commands: list[str] = field(factory=lambda: list(COMMANDS))
    state: str = "connected"
    fail: Exception | None = None
    agent: GuestAgent = field(init=False)
    poller: QemuPoller = field(init=False)

    def __attrs_post_init__(self) -> None:
        now = self.clock.seconds
        self.agent = GuestAgent(VM, reactor=self.clock, monotonic=now, wall=now)
        self.agent.qemu.present = True
        self.poller = QemuPoller(self, GuestSettings(), now)  # type: ignore[arg-type]

    def answer(self, question: str) -> None:
        self.asked.append((self.clock.seconds(), question))
        if self.fail is not None:
            failure, self.fail = self.fail, None
            raise failure

    async def xml(self, uuid: str) -> str:
        return domain(self.state)

    async def command(self, name: str) -> str:
        self.answer(name)
        if name == "guest-get-devices":
            return json.dumps({"return": []})
        known = [{"name": one, "enabled": True} for one in self.commands]
        return json.dumps({"return": {"version": "7.2.0", "supported_commands": known}})

    def at(self, question: str) -> list[float]:
        return [when for when, asked in self.asked if asked == question]

    def since(self, when: float) -> list[tuple[float, str]]:
        return [one for one in self.asked if one[0] >= when]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    made = Asked()

    async def command(domains: Asked, uuid: str, name: str, seconds: int) -> str:
        return await domains.command(name)

    async def information(domains: Asked, uuid: str, mask: int, seconds: int) -> dict[str, Any]:
        assert mask
        domains.answer(f"guestInfo({mask})")
        return domains.information

    async def addresses(domains: Asked, uuid: str, seconds: int) -> dict[str, Any]:
        domains.answer("interfaces")
        return domains.addresses

    async def processors(domains: Asked, uuid: str, seconds: int) -> dict[str, Any]:
        domains.answer("vcpus")
        return {"online": "0-1,3"}

    for function in (command, information, addresses, processors):
        monkeypatch.setattr(hypervisor, function.__name__, function)
    return made
