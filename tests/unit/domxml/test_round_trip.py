"""Devices made of structs and read back are the same structs: alone, and in a machine that libvirt has changed."""

import copy

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from lxml import etree
from unit.domxml import catalogue

from virgate.domxml import running
from virgate.domxml.devices import BUILDERS, READERS, Context
from virgate.domxml.pairing import TAGS
from virgate.domxml.request import HostFacts, read_request
from virgate.domxml.values import without_nothing

ID = "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01"
CONTEXT = Context(ID, HostFacts())


def made(device):
    (element,) = BUILDERS[device["type"]](copy.deepcopy(device), CONTEXT)
    return element


def reread(element):
    return READERS[element.tag](element)


@settings(max_examples=400)
@given(catalogue.ANY)
def test_what_is_built_is_read_back_without_loss(device):
    assert reread(made(device)) == device


@given(catalogue.ANY)
def test_reading_does_not_depend_on_the_order_or_on_what_libvirt_adds(device):
    element = made(device)
    element[:] = list(reversed(element))
    if element.tag == "disk" and element.find("driver") is None:
        element.append(etree.fromstring('<driver name="qemu" type="raw"/>'))  # as libvirt shows every drive
    element.append(etree.fromstring("<backingStore/>"))
    found = reread(element)
    if channels := found.get("specParams", {}).get("spiceSecureChannels"):
        found["specParams"]["spiceSecureChannels"] = ",".join(reversed(channels.split(",")))
    assert found == device


@given(catalogue.ANY)
def test_a_device_that_was_learnt_is_built_as_it_was(device):
    element = made(device)
    assert etree.tostring(made(reread(element))) == etree.tostring(element)


def lived(root, places):
    """The document as libvirt shows it: aliases, places and ports, devices of its own."""
    root = copy.deepcopy(root)
    for number, one in enumerate(root.find("devices")):
        etree.SubElement(one, "alias", name=f"{one.tag}{number}")
        if one.find("address") is None and one.tag not in ("graphics", "console", "serial", "input", "lease"):
            address = etree.SubElement(one, "address", type="pci", domain="0x0000", bus="0x01")
            address.set("slot", f"0x{number % 32:02x}")
            address.set("function", f"0x{next(places) % 8:x}")
        if one.tag == "graphics":
            one.set("port", "5900")
    etree.SubElement(root.find("devices"), "controller", type="pci", index="0", model="pci-root")
    return root


def single(devices):
    """At most one of the kinds that a machine has once only, and no two disks or nics of one name."""
    seen, kept = set(), []
    for device in devices:
        mark = device.get("name") or device.get("macAddr") or (device["type"], device["device"], device.get("index"))
        if device["type"] in ("watchdog", "console", "balloon", "graphics", "tpm", "smartcard", "sound", "video"):
            mark = device["type"]
        if device["type"] in ("redir", "controller", "hostdev", "memory", "lease", "rng", "interface"):
            mark = (device["type"], device["device"])
        if mark not in seen:
            seen.add(mark)
            kept.append(device)
    return kept


DECIDED = ("alias", "address", "port")


@settings(max_examples=150, deadline=None)
@given(st.lists(catalogue.ANY, max_size=8).map(single), st.integers(0, 7))
def test_a_machine_is_read_back_as_it_was_asked_for(devices, start):
    asked = copy.deepcopy(devices)
    request = read_request({"vmId": ID, "memSize": "64", "devices": asked}, HostFacts(), ())
    places = iter(range(start, 10_000))
    live = lived(request.domain({}), places)
    found = running.devices(live, request.conf["devices"])
    for wanted, got in zip(devices, found, strict=False):
        given_keys = {name: value for name, value in wanted.items() if name not in DECIDED}
        assert {name: got.get(name) for name in given_keys} == given_keys
    again = running.devices(live, found)
    assert again == found
    alone = running.devices(live)  # as a daemon finds it that never saw the request
    kinds = [(one["type"], one["device"]) for one in alone]
    for wanted in without_nothing(request.conf["devices"]):
        assert (wanted["type"], wanted["device"]) in kinds


def test_every_type_that_is_built_can_be_read():
    assert {TAGS.get(kind, kind) for kind in BUILDERS} == set(READERS)


@pytest.mark.parametrize("kind", sorted(BUILDERS))
def test_the_catalogue_knows_every_type(kind):
    assert find(catalogue.ANY, lambda device: device["type"] == kind)
