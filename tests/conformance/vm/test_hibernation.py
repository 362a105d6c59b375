"""Vectors L of spec migration: handles of saved machines and the pickles of their parameters."""

from virgate.node.vm.hibernation import conf_file
from virgate.node.vm.hibernation.handle import Handle

CONF = {"vmId": "ab", "elapsedTimeOffset": 1.5}
PROTOCOL_2 = bytes.fromhex(
    "80027d7100285804000000766d496471015802000000616271025811000000656c617073656454696d654f66667365747103473ff800000000"
    "0000752e"
)


def test_l_a_handle_in_six_parts() -> None:
    handle = Handle.parse("d,p,i1,v1,i2,v2")
    first = {"domainID": "d", "poolID": "p", "imageID": "i1", "volumeID": "v1", "device": "disk"}
    assert handle.memory.drive == first
    assert handle.conf.drive == {**first, "imageID": "i2", "volumeID": "v2"}


def test_l_two_maps_are_the_same_handle() -> None:
    both = {"poolID": "p", "domainID": "d"}
    params = {
        "memoryDumpVolume": {**both, "imageID": "i1", "volumeID": "v1"},
        "memoryConfVolume": {**both, "imageID": "i2", "volumeID": "v2"},
    }
    assert Handle.of_params(params) == Handle.of_params({"hiberVolHandle": "d,p,i1,v1,i2,v2"})


def test_l_protocol_2_byte_for_byte() -> None:
    assert conf_file.write(CONF) == PROTOCOL_2
    assert conf_file.read(PROTOCOL_2) == CONF
    assert conf_file.read(PROTOCOL_2 + b"\0" * 20) == CONF


def test_l_protocol_0() -> None:
    assert conf_file.read(b"(dp1\nS'vmId'\np2\nS'ab'\np3\ns.") == {"vmId": "ab"}
