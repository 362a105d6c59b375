"""What a host knows of a guest and gives to the one that the guest goes to (spec guest-agent 4.1, 4.7). Pure."""

from collections.abc import Mapping
from typing import Any

from virgate.node.guest.agent import GuestAgent
from virgate.node.guest.members import copied
from virgate.node.guest.negotiation import common

TEXTS = ("username", "guestIPs", "guestFQDN")


def unpack(agent: GuestAgent, conf: Mapping[str, Any]) -> None:
    """Takes what another host said, or an earlier daemon, until the guest itself says it."""
    told = agent.report.told
    told |= {name: conf[name] for name in TEXTS if isinstance(conf.get(name), str)}
    if isinstance(conf.get("netIfaces"), list):
        told["netIfaces"] = conf["netIfaces"]
    agent.version = common(conf.get("guestAgentAPIVersion", 0))


def pack(agent: GuestAgent) -> dict[str, Any]:
    """What `unpack` takes."""
    told = {name: copied(agent.report.told[name]) for name in (*TEXTS, "netIfaces") if name in agent.report.told}
    return {**told, "guestAgentAPIVersion": agent.version}
