"""Work behind a fence: once that is lowered, nothing more is done for it, and others go on."""

import os
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from virgate.errors import InvalidParameter
from virgate.run.errors import HelperLost
from virgate.run.fence import Fence, admitted, inner, leave, unfenced
from virgate.run.helper import Helpers
from virgate.run.process import run, spawn

HERE = Path(__file__).parent
FORBIDDEN = InvalidParameter("fence", "down")


@pytest_twisted.async_yield_fixture
async def helpers(monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    made = Helpers("helper_operations")
    yield made
    await made.close()


@pytest_twisted.ensureDeferred
async def test_behind_a_lowered_fence_neither_helpers_nor_programs_do_anything(helpers, tmp_path):
    fence = Fence()
    fence.enter()
    assert await helpers["a"].call("echo", 1) == [1]
    fence.lower(FORBIDDEN)
    with pytest.raises(InvalidParameter):
        await helpers["a"].call("note", tmp_path / "file", "x")
    with pytest.raises(InvalidParameter):
        await run(["touch", tmp_path / "file"])
    assert list(tmp_path.iterdir()) == []
    leave()
    assert await helpers["a"].call("echo", 2) == [2]


@pytest_twisted.ensureDeferred
async def test_the_fence_holds_for_whatever_was_started_behind_it():
    gate: Deferred[None] = Deferred()

    async def later():
        await gate
        return admitted()

    async def begun_behind(fence):
        fence.enter()
        return Deferred.fromCoroutine(later()), unfenced(later())

    fence = Fence()
    inside, outside = await Deferred.fromCoroutine(begun_behind(fence))
    fence.lower(FORBIDDEN)
    assert admitted() is None
    gate.callback(None)
    assert await outside is None
    with pytest.raises(InvalidParameter):
        await inside


@pytest_twisted.ensureDeferred
async def test_lowering_kills_the_operation_and_the_program_under_way(helpers, tmp_path):
    fence = Fence()

    async def behind():
        fence.enter()
        async with spawn(["sleep", "60"]) as child:
            started.append(child.pid)
            return await child.exit_code()

    async def asking():
        fence.enter()
        await helpers["busy"].call("read_fifo", str(tmp_path / "fifo"))

    os.mkfifo(tmp_path / "fifo")
    started: list[int] = []
    program, asked = Deferred.fromCoroutine(behind()), Deferred.fromCoroutine(asking())
    others = helpers["other"].call("echo", 3)
    worker = helpers["busy"].pid
    fence.lower(FORBIDDEN)
    fence.kill()
    with pytest.raises(HelperLost):
        await asked
    assert await program == -9
    assert await others == [3]
    await fence.emptied()
    assert not alive(worker)
    assert await helpers["busy"].call("echo", 4) == [4]


@pytest_twisted.ensureDeferred
async def test_a_helper_that_works_for_others_keeps_its_worker(helpers):
    async def asking():
        fence.enter()
        await helpers["one"].call("echo", 1)
        others.append(unfenced(other()))
        await helpers["one"].call("echo", 2)

    async def other():
        return await helpers["one"].call("spin", 0.2)

    fence = Fence()
    others = []
    asked = Deferred.fromCoroutine(asking())
    while not others:
        await helpers["one"].call("echo", 0)
    worker = helpers["one"].pid
    fence.lower(FORBIDDEN)
    fence.kill()
    with pytest.raises(HelperLost):
        await asked
    await others[0]
    assert helpers["one"].pid == worker


@pytest_twisted.ensureDeferred
async def test_what_was_given_up_behind_the_fence_is_killed_too(helpers, tmp_path):
    async def asking():
        fence.enter()
        helpers["one"].call("read_fifo", str(tmp_path / "fifo")).addErrback(lambda failure: None).cancel()

    os.mkfifo(tmp_path / "fifo")
    fence = Fence()
    await Deferred.fromCoroutine(asking())
    worker = helpers["one"].pid
    fence.lower(FORBIDDEN)
    fence.kill()
    await fence.emptied()
    assert not alive(worker)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest_twisted.ensureDeferred
async def test_a_fence_within_another_falls_alone_or_with_it():
    outer = Fence()

    async def behind():
        outer.enter()
        with inner() as within:
            fallen = Deferred.fromCoroutine(spawned("alone", within))
            await begun["alone"]
        assert (await fallen, admitted()) == (-9, outer)
        with inner():
            fallen = Deferred.fromCoroutine(spawned("with it", outer))
            await begun["with it"]
            with pytest.raises(InvalidParameter):
                admitted()
        return await fallen

    async def spawned(name, fence):
        async with spawn(["sleep", "60"]) as child:
            begun[name].callback(None)
            fence.lower(FORBIDDEN)
            fence.kill()
            await fence.emptied()
            return await child.exit_code()

    begun = {"alone": Deferred(), "with it": Deferred()}
    assert await Deferred.fromCoroutine(behind()) == -9
