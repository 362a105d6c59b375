"""New volumes keep their devices for a while, and lose them together."""

from contract.storage.light import now
from contract.storage.room import uuid
from twisted.internet.task import Clock


def test_new_volumes_lose_their_devices_together_and_one_in_use_keeps_its(block):
    block.again(pause=5.0)
    block.lvm.clock = clock = Clock()
    for number in (1, 2, 3):
        block.make(number, number)
    assert block.active() == {1, 2, 3}
    use = block.images.used(uuid(3, 3), uuid(4, 3))
    now(use.__aenter__())
    before = block.disks.commands.count("lvchange")
    clock.advance(5.0)
    assert block.active() == {3}
    assert block.disks.commands.count("lvchange") == before + 1
    now(use.__aexit__(None, None, None))
    assert block.active() == set()
