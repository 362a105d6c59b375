"""JSON-RPC over STOMP with a whole daemon and real guests: calls, events, and both transports side by side."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from lab.jsonrpc import Failed, JsonRpc

VIRGATE = str(Path(sys.executable).parent / "virgate")


@pytest.fixture
def client(shared):
    with JsonRpc(shared.port, beat="0,1000") as made:
        yield made


def status_of(vm, status):
    def wanted(event):
        return event["method"] == f"|virt|VM_status|{vm}" and event["params"][vm]["status"] == status

    return wanted


def params_of(house, vm):
    house.made.append(vm)
    return {"vmId": vm, "vmName": f"n{vm[:13]}", "memSize": "32", "kvmEnable": "false", "devices": []}


def test_a_machine_lives_its_life_through_json_and_every_change_is_an_event(house, client):
    vm = "5b1e9e9e-0c3a-4a3e-9c55-6f2f1d1f0001"
    client.subscribe()
    made = client.result("VM.create", {"vmID": vm, "vmParams": params_of(house, vm)})
    assert (made["vmId"], made["status"]) == (vm, "WaitForLaunch")
    _, up = client.event(status_of(vm, "Powering up"))
    assert {"cpuUser", "hash", "monitorResponse", "statusTime"} <= set(up["params"][vm])  # a new one tells everything
    assert client.result("VM.pause", {"vmID": vm}) == {"vmList": {}}
    _, paused = client.event(status_of(vm, "Paused"))
    assert paused["params"][vm] == {"status": "Paused"}
    assert client.result("VM.cont", [vm]) == {"vmList": {}}
    _, again = client.event(lambda event: event["method"].endswith(vm))
    (stats,) = client.result("VM.getStats", {"vmID": vm})
    assert up["params"]["notify_time"] < paused["params"]["notify_time"] <= again["params"]["notify_time"]
    assert again["params"]["notify_time"] <= int(stats["statusTime"]) < again["params"]["notify_time"] + 20000
    house.unplug(vm)
    _, down = client.event(status_of(vm, "Down"))
    assert (down["params"][vm]["exitCode"], down["params"][vm]["exitReason"]) == (1, 2)
    assert "timeOffset" in down["params"][vm]
    assert client.result("VM.destroy", {"vmID": vm}) is True
    with pytest.raises(Failed) as gone:
        client.result("VM.getInfo", {"vmID": vm})
    assert gone.value.code == 1


def test_lists_are_ids_short_or_full_as_is_asked(house, client):
    vm = house.up()
    assert client.result("Host.getVMList") == [vm]
    (short,) = client.result("Host.getVMList", {"vmList": [vm], "onlyUUID": False})
    assert set(short) == {"vmId", "status", "statusTime"}
    (full,) = client.result("Host.getVMFullList", {"vmList": [vm]})
    assert full["memSize"] == client.result("VM.getInfo", {"vmID": vm})["memSize"]
    assert client.result("Host.getAllVmStats")[0]["vmId"] == vm


def test_storage_and_its_tasks_are_reached_by_the_names_of_the_schema(house, client):
    ids = {"storagepoolID": house.pool, "storagedomainID": house.domain}
    volume = house.make_volume()
    named = {**ids, "imageID": volume["imageID"], "volumeID": volume["volumeID"]}
    assert client.result("StorageDomain.getInfo", {"storagedomainID": house.domain})["name"] == "whole"
    assert client.result("StoragePool.getInfo", {"storagepoolID": house.pool})["info"]["master_uuid"] == house.domain
    assert client.result("Volume.getInfo", named)["image"] == volume["imageID"]
    assert set(client.result("Volume.getSize", named)) == {"apparentsize", "truesize"}
    assert client.result("Image.getVolumes", [volume["imageID"], house.pool, house.domain]) == [volume["volumeID"]]
    assert set(client.result("Image.prepare", named)) == {"path", "info", "imgVolumesInfo"}
    assert client.result("Image.teardown", named) is True
    assert list(client.result("Host.getStorageRepoStats")) == [house.domain]
    task = client.result("Image.delete", {**ids, "imageID": volume["imageID"], "postZero": False, "force": False})
    house.until(
        lambda: client.result("Task.getStatus", {"taskID": task})["taskState"] == "finished", "the image is deleted"
    )
    assert client.result("Task.clear", {"taskID": task}) is True
    with pytest.raises(Failed) as gone:
        client.result("Volume.getInfo", named)
    assert gone.value.code == house.code("getVolumeInfo", house.domain, house.pool, *list(volume.values())[2:])


def test_the_command_line_watches_and_its_lines_are_the_clients_events(house):
    vm = house.up()
    argv = [VIRGATE, "--server", f"127.0.0.1:{house.port}", "--json", "events", "--machine", vm, "--count", "2"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as watching, JsonRpc(house.port) as client:

        def ended():
            client.result("VM.pause", {"vmID": vm})
            client.result("VM.cont", {"vmID": vm})
            return watching.poll() is not None

        house.until(ended, "it saw two events")
        lines = [json.loads(line) for line in watching.stdout.read().splitlines()]
        assert watching.returncode == 0
    assert len(lines) == 2
    assert all(line["method"] == f"|virt|VM_status|{vm}" for line in lines)


def test_heart_beats_keep_coming_while_nothing_else_does(shared, client):
    assert client.connected.headers["heart-beat"] == "1000,0"
    client.link.settimeout(5)
    beats = [client.link.recv(100) for _ in range(3)]
    assert b"".join(beats).strip(b"\n") == b""
