"""Daemons that trust each other by certificates of `virgate pki` move machines; strangers are not let in."""

import ssl
from pathlib import Path

import pytest

from lab.cleanup import Lab
from lab.daemons import Daemons, boots
from lab.network import Network
from virgate import pki


@pytest.mark.timeout(120)
def test_machines_move_between_hosts_that_trust_each_other_and_to_no_stranger(
    lab: Lab, libvirt_cache: Path, guest: Path
) -> None:
    daemons = Daemons(lab, Network(lab), libvirt_cache, tls=True)
    north, south = daemons.start("north", "south")
    params = boots(memSize="128")
    vm = params["vmId"]
    north.call("create", params)
    north.until_status(vm, "Up")
    north.move(vm, south)
    assert north.until_over(vm) == (0, "Migration done"), north.said() + south.said()
    south.until_status(vm, "Up")

    strange = lab.subfolder("strange")
    pki.initialise(strange, [*daemons.network.addresses, *daemons.network.addresses.values()])
    north.call("destroy", vm)
    north.kill()
    daemons.pki, daemons.tls = strange, ssl.create_default_context(cafile=str(strange / "ca.pem"))
    daemons.tls.load_cert_chain(strange / "client.pem", strange / "client.key")
    north.restart()  # with certificates of another authority
    mine, daemons.tls = daemons.tls, ssl.create_default_context(cafile=str(lab.subfolder("pki") / "ca.pem"))
    daemons.tls.load_cert_chain(lab.subfolder("pki") / "client.pem", lab.subfolder("pki") / "client.key")
    south.move(vm, north)
    code, message = south.until_over(vm)
    assert code == 12 and "certificate" in message.lower(), message
    south.until_status(vm, "Up")
    daemons.tls = mine
    assert north.status(vm) == "gone"
