"""Devices of this machine as a whole daemon tells them: they are only looked at, never taken."""


def test_devices_of_the_host_are_listed_by_their_kind(house):
    everything = house.ask("hostdevListByCaps")["deviceList"]
    assert everything["computer"]["params"]["capability"] == "system"
    assert "parent" not in everything["computer"]["params"]
    functions = house.ask("hostdevListByCaps", ["pci"])["deviceList"]
    for name, device in functions.items():
        told = device["params"]
        assert (name, told["capability"]) == (name, "pci") and name in everything
        assert set(told["address"]) == {"domain", "bus", "slot", "function"}
        assert told["is_assignable"] in ("true", "false")
    assert house.ask("hostdevListByCaps", ["nonsense"])["deviceList"] == {}


def test_devices_that_are_not_there_are_told_by_name(house):
    for verb, arguments in (("hostdevReattach", ()), ("hostdevChangeNumvfs", (1,))):
        status = house.call(verb, "pci_ffff_1f_1f_7", *arguments)["status"]
        assert status["code"] == 16 and "pci_ffff_1f_1f_7" in status["message"]


def test_a_machine_that_wants_a_device_that_is_not_there_is_down_with_its_name(house):
    vm = house.create(devices=[{"type": "hostdev", "device": "pci_ffff_1f_1f_7"}])
    assert "pci_ffff_1f_1f_7" in house.failed(vm)["exitMessage"]
    house.ask("destroy", vm)


def test_the_document_of_a_machine_is_made_for_what_this_libvirt_offers(house):
    vm = house.create(emulatedMachine="pc-i440fx-rhel7.6.0")
    assert "no machine type pc-i440fx-rhel7.6.0" in house.failed(vm)["exitMessage"]
    house.ask("destroy", vm)
    vm = house.up(cpuType="hostPassthrough")
    assert "mode='maximum'" in house.xml(vm) or "mode='host-passthrough'" in house.xml(vm)
