"""Network devices of the host as /sys and /proc show them (spec network 15)."""

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from attrs import define, field

from virgate.node.host.tree import Tree

_ETHERNET = 1
_UNKNOWN_SPEEDS = {65535, 4294967295}
_GET_ADDRESS, _GET_NETMASK = 0x8915, 0x891B  # SIOCGIFADDR, SIOCGIFNETMASK


@define
class Addresses:
    """What the network protocols know of one device."""

    v4: list[tuple[str, str]] = field(factory=list)
    """Address and netmask, the primary one only."""
    v6: list[str] = field(factory=list)
    """Address and prefix length."""
    gateway: str = ""
    gateway6: str = "::"

    def wire(self) -> dict[str, Any]:
        address, netmask = self.v4[0] if self.v4 else ("", "")
        networks = [ipaddress.ip_interface(f"{each}/{mask}") for each, mask in self.v4]
        return {
            "addr": address,
            "netmask": netmask,
            "ipv4addrs": [each.with_prefixlen for each in networks],
            "ipv6addrs": list(self.v6),
            "gateway": self.gateway,
            "ipv6gateway": self.gateway6,
            "ipv4defaultroute": bool(self.gateway),
            "dhcpv4": False,
            "dhcpv6": False,
        }


def read_addresses(tree: Tree, names: list[str]) -> dict[str, Addresses]:
    found = {name: Addresses(v4=_ipv4(name)) for name in names}
    for line in tree.lines("proc/net/if_inet6"):
        digits, _index, prefix, *_flags, name = line.split()
        if name in found:
            address = ipaddress.IPv6Address(bytes.fromhex(digits))
            found[name].v6.append(f"{address}/{int(prefix, 16)}")
    for name, gateway in _gateways(tree):
        if name in found:
            found[name].gateway = gateway
    for name, gateway in _gateways6(tree):
        if name in found:
            found[name].gateway6 = gateway
    return found


def _ipv4(name: str) -> list[tuple[str, str]]:
    request = struct.pack("256s", name.encode()[:15])
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        address, netmask = (
            socket.inet_ntoa(fcntl.ioctl(asked.fileno(), question, request)[20:24])
            for question in (_GET_ADDRESS, _GET_NETMASK)
        )
        return [(address, netmask)]
    return []


def _gateways(tree: Tree) -> Iterator[tuple[str, str]]:
    for line in tree.lines("proc/net/route")[1:]:
        name, destination, gateway, flags = line.split()[:4]
        if destination == "00000000" and int(flags, 16) & 2:
            yield name, socket.inet_ntoa(struct.pack("=I", int(gateway, 16)))


def _gateways6(tree: Tree) -> Iterator[tuple[str, str]]:
    for line in tree.lines("proc/net/ipv6_route"):
        fields = line.split()
        if fields[0] == "0" * 32 and fields[1] == "00" and fields[4] != "0" * 32:
            yield fields[9], str(ipaddress.IPv6Address(bytes.fromhex(fields[4])))


def speed(tree: Tree, name: str) -> int:
    """Mbit/s; 0 when the link is down or does not say."""
    found = tree.number(f"sys/class/net/{name}/speed")
    return 0 if found <= 0 or found in _UNKNOWN_SPEEDS else found


def is_up(tree: Tree, name: str) -> bool:
    state = tree.text(f"sys/class/net/{name}/operstate")
    return state == "up" or (state == "unknown" and tree.text(f"sys/class/net/{name}/carrier") == "1")


def inventory(tree: Tree) -> dict[str, Any]:
    """The maps `nics`, `bondings`, `vlans` and `bridges` of the capabilities; `networks` are nobody's yet."""
    names = tree.names("sys/class/net")
    addresses = read_addresses(tree, names)
    found: dict[str, Any] = {"networks": {}, "nics": {}, "bondings": {}, "vlans": {}, "bridges": {}}
    for name in names:
        folder = f"sys/class/net/{name}"
        common = {**addresses[name].wire(), "mtu": tree.text(f"{folder}/mtu"), "cfg": {"BOOTPROTO": "none"}}
        if tree.exists(f"{folder}/bridge"):
            found["bridges"][name] = common | _bridge(tree, folder)
        elif tree.exists(f"{folder}/bonding"):
            found["bondings"][name] = common | _bond(tree, folder)
        elif tree.exists(f"proc/net/vlan/{name}"):
            found["vlans"][name] = common | _vlan(tree, name)
        elif tree.number(f"{folder}/type") == _ETHERNET and tree.exists(f"{folder}/device"):
            found["nics"][name] = common | {"hwaddr": tree.text(f"{folder}/address"), "speed": speed(tree, name)}
    return found


def _bridge(tree: Tree, folder: str) -> dict[str, Any]:
    options = {name: tree.text(f"{folder}/bridge/{name}") for name in tree.names(f"{folder}/bridge") if name != "flush"}
    stp = "on" if options.get("stp_state", "0") != "0" else "off"
    return {"ports": tree.names(f"{folder}/brif"), "stp": stp, "opts": options}


def _bond(tree: Tree, folder: str) -> dict[str, Any]:
    return {
        "hwaddr": tree.text(f"{folder}/address"),
        "slaves": tree.text(f"{folder}/bonding/slaves").split(),
        "active_slave": tree.text(f"{folder}/bonding/active_slave"),
        "opts": {"mode": tree.text(f"{folder}/bonding/mode").split(" ")[-1]},
    }


def _vlan(tree: Tree, name: str) -> dict[str, Any]:
    found = {"iface": "", "vlanid": 0}
    for line in tree.lines(f"proc/net/vlan/{name}"):
        words = line.split()
        if "VID:" in words:
            found["vlanid"] = int(words[words.index("VID:") + 1])
        if words[:1] == ["Device:"]:
            found["iface"] = words[1]
    return found


def device_with(tree: Tree, address: str) -> str:
    """The device that carries an address of this host; empty when none does."""
    if not address:
        return ""
    wanted = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(wanted, ipaddress.IPv6Address) and wanted.ipv4_mapped:
        wanted = wanted.ipv4_mapped
    for name, found in read_addresses(tree, tree.names("sys/class/net")).items():
        known = [each for each, _netmask in found.v4] + [each.partition("/")[0] for each in found.v6]
        if str(wanted) in known:
            return name
    return "lo" if wanted.is_loopback else ""
