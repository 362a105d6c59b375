"""Which element of a document belongs to which struct of the device list.

Disks are known by their target, nics by their address, channels and leases by their names, devices with an alias or a
place on a bus by that; the rest by their order among their kind, which building keeps.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from virgate.domxml.tree import Element, attribute, attributes, child_text

TAGS = {"balloon": "memballoon", "redir": "redirdev"}
"""Device types whose element has another name."""
TYPES = {tag: kind for kind, tag in TAGS.items()}

Device = Mapping[str, Any]
Pairs = list[tuple[dict[str, Any], Element]]


def tag_of(device: Device) -> str:
    return TAGS.get(str(device.get("type")), str(device.get("type")))


def kind_of(found: Element) -> str:
    """What a device list says in `device`: the model or sort of the thing."""
    tag = str(found.tag)
    if tag == "disk":
        return str(found.get("device", "disk"))
    if tag == "video":
        return attribute(found, "model", "type")
    if tag == "sound":
        return str(found.get("model", ""))
    fixed = {"memballoon": "memballoon", "rng": "virtio"}
    if tag in fixed:
        return fixed[tag]
    if tag in ("watchdog", "console", "smartcard", "tpm", "memory", "lease"):
        return tag
    return str(found.get("type", ""))


def _same_name(device: Device, found: Element) -> bool:
    return bool(device.get("name")) and device["name"] == attribute(found, "target", "dev")


def _same_mac(device: Device, found: Element) -> bool:
    mac = str(device.get("macAddr") or "").lower()
    return bool(mac) and mac == attribute(found, "mac", "address").lower()


def _same_alias(device: Device, found: Element) -> bool:
    alias = device.get("alias")
    return bool(alias) and alias == attribute(found, "alias", "name")


def _same_address(device: Device, found: Element) -> bool:
    address = device.get("address")
    return bool(address) and address == attributes(found.find("address"))


def _same_kind(device: Device, found: Element) -> bool:
    return str(device.get("device")) == kind_of(found)


def _same_place(device: Device, found: Element) -> bool:
    """A controller that carries its number, or a device that has nothing but its order."""
    if found.tag == "controller":
        wanted = device.get("index")
        model = str(device.get("model") or "")
        return (
            _same_kind(device, found)
            and (wanted in (None, "") or str(wanted) == found.get("index"))
            and model in ("", found.get("model"))
        )
    return found.tag in ("hostdev", "console") or _same_kind(device, found)


def _same_port(device: Device, found: Element) -> bool:
    return bool(device.get("name")) and device["name"] == attribute(found, "target", "name")


def _nameless(device: Device, found: Element) -> bool:
    return not device.get("name") and _same_kind(device, found)


def _same_lease(device: Device, found: Element) -> bool:
    wanted = (str(device.get("lease_id")), str(device.get("sd_id")))
    return wanted == (child_text(found, "key"), child_text(found, "lockspace"))


RULES: dict[str, tuple[Callable[[Device, Element], bool], ...]] = {
    "disk": (_same_name,),
    "interface": (_same_mac, _same_alias, _same_address, _same_kind),
    "channel": (_same_port, _same_alias, _same_address, _nameless),
    "lease": (_same_lease,),
}
OTHERS = (_same_alias, _same_address, _same_place)


def pair(found: Iterable[Element], devices: Iterable[dict[str, Any]]) -> Pairs:
    """Each device of the list with its element, in the list's order; devices that have no element are left out."""
    free: dict[str, list[Element]] = {}
    for one in found:
        free.setdefault(str(one.tag), []).append(one)
    chosen: dict[int, Element] = {}
    wanted = [device for device in devices if tag_of(device) in free and not is_hidden(device)]
    rounds = max(len(OTHERS), *(len(rules) for rules in RULES.values()))
    # Sure signs first, for all devices: order decides only among those that nothing else tells apart.
    for number in range(rounds):
        for device in wanted:
            rules = RULES.get(tag_of(device), OTHERS)
            if id(device) in chosen or number >= len(rules):
                continue
            candidates = free[tag_of(device)]
            match = next((one for one in candidates if rules[number](device, one)), None)
            if match is not None:
                chosen[id(device)] = match
                candidates.remove(match)
    return [(device, chosen[id(device)]) for device in wanted if id(device) in chosen]


def is_hidden(device: Device) -> bool:
    """A host device that the guest does not get: it keeps its whole group off the host."""
    wishes = device.get("specParams")
    return isinstance(wishes, dict) and str(wishes.get("iommuPlaceholder", "")).lower() in ("true", "1")
