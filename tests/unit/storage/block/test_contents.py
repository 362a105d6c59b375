"""Small contents of raw volumes on block storage: the volume is active while they are read or written, no longer."""

from types import SimpleNamespace

import pytest
from contract.storage.light import now
from contract.storage.room import uuid
from twisted.internet.task import Clock

from virgate.node.storage.formats.volume_metadata import VolumeFormat
from virgate.node.storage.images.contents import Contents
from virgate.node.tasks.locks import Locks


@pytest.fixture
def contents(block):
    async def find(domain):
        assert domain == uuid(2)
        return block

    block.make(1, 1, form=VolumeFormat.RAW, size=10240)
    return Contents(SimpleNamespace(domains=SimpleNamespace(find=find), locks=Locks(Clock(), 5.0)))


def test_what_is_written_is_read_and_the_volume_rests_again(block, contents):
    now(contents.write(uuid(2), uuid(3), uuid(4), b"new" * 2000))
    assert now(contents.read(uuid(2), uuid(3), uuid(4), 6000)) == b"new" * 2000
    assert len(now(contents.read(uuid(2), uuid(3), uuid(4), 1 << 20))) == 1 << 20
    assert block.active() == set()


def test_a_volume_that_a_machine_uses_stays_active(block, contents):
    now(block.images.open(uuid(3)))
    now(contents.write(uuid(2), uuid(3), uuid(4), b"new"))
    assert block.active() == {1}
