"""Rooms for the tests of this folder."""

import pytest_twisted
from contract.storage.room import Room


@pytest_twisted.async_yield_fixture
async def room(tmp_path):
    made = await Room(tmp_path).start()
    yield made
    await made.stop()
