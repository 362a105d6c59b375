"""iscsiadm: command lines, what it prints and what its exit codes mean. Pure. No secret is ever among the arguments."""

import re

SESSION_EXISTS = 15
NOT_RUNNING = (18, 20)
NO_RECORD = 21
REFUSED_CREDENTIALS = 24
CAUSES = {
    3: "out of memory",
    4: "the connection broke",
    5: "the target failed the login",
    6: "iscsiadm cannot use its records",
    8: "no answer in time",
    9: "iscsiadm failed",
    11: "no answer in time",
    12: "the transport of the interface is not loaded; is the kernel module iscsi_tcp there?",
    13: "iscsiadm needs root",
    19: "the target refuses the login: no such target there, or it does not serve this initiator",
    28: "iscsid is busy",
}
NO_PROGRAM = "this host has no iscsiadm: install the package open-iscsi"
NO_DAEMON = "iscsid does not run: start the service iscsid of the package open-iscsi"
_TARGET = re.compile(r"(\S+:\d+,-?\d+) (\S+)")
_NET_INTERFACE = re.compile(r"^iface\.net_ifacename = (.*)$", re.MULTILINE)

Argv = list[str]


def portal(host: str, port: int) -> str:
    """As iscsiadm wants it; an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def node(iqn: str, host: str, port: int, tpgt: int, iface: str, *action: str) -> Argv:
    """Does something with the record of a session: ("-o", "new"), ("--login",) ..."""
    place = f"{portal(host, port)},{tpgt}"
    return ["iscsiadm", "-m", "node", "-T", iqn, "-p", place, "-I", iface, *action]


def logout(session: str) -> Argv:
    """`session` is the kernel's name."""
    return ["iscsiadm", "-m", "session", "-r", session.removeprefix("session"), "--logout"]


def discovery(host: str, port: int, *action: str) -> Argv:
    return ["iscsiadm", "-m", "discoverydb", "-t", "sendtargets", "-p", portal(host, port), *action]


def interface(name: str, *action: str) -> Argv:
    return ["iscsiadm", "-m", "iface", "-I", name, *action]


def cause(code: int, said: str) -> str:
    """Why it failed, for people. `said` is the standard error output."""
    if code in NOT_RUNNING:
        return NO_DAEMON
    lines = [line.removeprefix("iscsiadm: ").strip() for line in said.splitlines() if line.strip()]
    return CAUSES.get(code) or (lines[-1] if lines else f"iscsiadm ended with {code}")


def targets(printed: str) -> list[tuple[str, str]]:
    """("address:port,group", IQN) of every target that a discovery printed."""
    found = (_TARGET.fullmatch(line.strip()) for line in printed.splitlines())
    return [(match[1], match[2]) for match in found if match]


def net_interface(printed: str) -> str:
    """The network interface that an iSCSI interface is bound to; empty if to none."""
    found = _NET_INTERFACE.search(printed)
    return "" if found is None or found[1] == "<empty>" else found[1]
