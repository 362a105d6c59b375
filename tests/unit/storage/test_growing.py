"""The road to the SPM: directly where this host is it, by a call, through storage in the end."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import define, field
from contract.storage.light import now
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from virgate.events import EventBus
from virgate.node.peers import calling
from virgate.node.storage.errors import CannotExtendVolume, NotSpm
from virgate.node.storage.formats.mailbox import Extend
from virgate.node.storage.pools.role import Role
from virgate.node.storage.thin.address import SpmAddress
from virgate.node.storage.thin.growing import Growing
from virgate.node.storage.thin.settings import ThinSettings
from virgate.units import GiB, MiB

DOMAIN, IMAGE, VOLUME = "3e7a1c52-9d40-4b7e-8f21-6a5b0c1d2e3f", "image", "7f6e5d4c-3b2a-4190-8f7e-6d5c4b3a2910"
THERE = SpmAddress(1, "node-1", 54321, False, 4)


@define
class Scene:
    """A pool with one thin volume; `real` is its size on storage, `seen` what this host sees of it."""

    roads: list[str] = field(factory=list)
    real: int = GiB
    seen: int = GiB
    refreshed: int = 0
    role: Role = Role.FREE
    there: SpmAddress | None = THERE
    forgotten: int = 0
    answer: Callable[..., Any] | None = None
    post_answers: bool = True
    post_works: bool = True
    clock: Clock = field(factory=Clock)
    told: list[dict[str, Any]] = field(factory=list)
    growing: Growing = field(init=False)

    def __attrs_post_init__(self) -> None:
        events = EventBus()
        events.listen("storage.grown", lambda **fields: self.told.append(fields))
        pool = SimpleNamespace(id="pool", spm=self)
        domains = SimpleNamespace(find=self._found)
        pools: Any = SimpleNamespace(find=lambda _: pool, domains=domains)
        here: Any = self
        self.growing = Growing(
            pools=pools,
            extending=here,
            seeing=here,
            post=here,
            book=here,
            settings=ThinSettings(),
            events=events,
            clock=self.clock,
        )

    # what is seen here
    async def _found(self, _domain: str) -> Any:
        return self

    async def size(self, _domain: Any, _image: str, _volume: str) -> int:
        return self.seen

    async def again(self, _domain: Any, _image: str, _volume: str) -> int:
        self.refreshed += 1
        self.seen = self.real
        return self.seen

    # the SPM, here and there
    def require(self) -> None:
        if self.role is not Role.SPM:
            raise NotSpm("pool")

    async def extend(self, _domain: str, _volume: str, mib: int, *, refresh: bool) -> None:
        self.roads.append("here")
        if self.real < mib * MiB:
            self.real = mib * MiB
            self.seen = self.real if refresh else self.seen

    async def ask(self, _pool: Any, wish: Extend) -> bool:
        self.roads.append("mailbox")
        if self.post_works:
            self.real = wish.mib * MiB
        return self.post_answers

    here: Any = None

    async def find(self, _pool: Any) -> SpmAddress | None:
        return self.there

    def forget(self) -> None:
        self.forgotten += 1

    async def call(self, _here: Any, address: str, port: int, verb: str, *arguments: Any) -> calling.Answer:
        self.roads.append("call")
        assert (address, port, verb) == ("node-1", 54321, "extendVolume")
        assert arguments[:4] == (DOMAIN, "pool", IMAGE, VOLUME)
        if self.answer is not None:
            return await self.answer()
        self.real = int(arguments[4])
        return calling.Answer(0, "OK", {})

    def grow(self, size: int = 2 * GiB) -> "Deferred[int]":
        return Deferred.fromCoroutine(self.growing.grow("pool", DOMAIN, IMAGE, VOLUME, size))

    def grown(self, size: int = 2 * GiB) -> int:
        return now(self.growing.grow("pool", DOMAIN, IMAGE, VOLUME, size))


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene()
    monkeypatch.setattr(calling, "call", made.call)
    return made


async def refused() -> calling.Answer:
    return calling.Answer(654, "Not SPM", {})


async def gone() -> calling.Answer:
    raise calling.CallFailed("node-1", "nobody there")


async def done_nothing() -> calling.Answer:
    return calling.Answer(0, "OK", {})


def test_the_spm_does_it_itself(scene: Scene) -> None:
    scene.role = Role.SPM
    assert scene.grown() == 2 * GiB
    assert scene.roads == ["here"] and scene.refreshed == 0


def test_what_another_spm_has_extended_is_looked_at_again(scene: Scene) -> None:
    scene.role, scene.real = Role.SPM, 3 * GiB
    assert scene.grown() == 3 * GiB
    assert scene.roads == ["here"] and scene.refreshed == 1


def test_the_old_verb_extends_and_looks_at_nothing(scene: Scene) -> None:
    scene.role = Role.SPM
    now(scene.growing.extend("pool", DOMAIN, VOLUME, 2 * GiB - 1))
    assert (scene.real, scene.seen) == (2 * GiB, GiB)
    scene.role = Role.FREE
    with pytest.raises(NotSpm):
        now(scene.growing.extend("pool", DOMAIN, VOLUME, 2 * GiB))


def test_the_spm_is_called_where_it_says_it_is(scene: Scene) -> None:
    assert scene.grown() == 2 * GiB
    assert scene.roads == ["call"] and scene.refreshed == 1


def test_the_size_is_asked_for_in_whole_mebibytes(scene: Scene) -> None:
    assert scene.grown(2 * GiB - 5) == 2 * GiB


@pytest.mark.parametrize("answer", [refused, gone])
def test_a_call_that_fails_is_followed_by_a_message_at_once(scene: Scene, answer: Any) -> None:
    scene.answer = answer
    assert scene.grown() == 2 * GiB
    assert scene.roads == ["call", "mailbox"] and scene.forgotten == 1


def test_a_call_that_takes_too_long_is_followed_by_a_message(scene: Scene) -> None:
    scene.answer = lambda: Deferred()
    growing = scene.grow()
    scene.clock.advance(0.9)
    assert scene.roads == ["call"]
    scene.clock.advance(0.2)
    assert scene.roads == ["call", "mailbox"] and growing.result == 2 * GiB


def test_a_call_after_which_nothing_grew_is_followed_by_a_message(scene: Scene) -> None:
    scene.answer = done_nothing
    assert scene.grown() == 2 * GiB
    assert scene.roads == ["call", "mailbox"]


def test_an_spm_that_tells_no_address_is_asked_through_storage(scene: Scene) -> None:
    scene.there = None
    assert scene.grown() == 2 * GiB
    assert scene.roads == ["mailbox"]


def test_calls_can_be_switched_off(scene: Scene) -> None:
    scene.growing.settings = ThinSettings(direct=False)
    scene.grown()
    assert scene.roads == ["mailbox"]


def test_no_room_is_said_as_the_spm_says_it(scene: Scene) -> None:
    async def full() -> calling.Answer:
        return calling.Answer(206, "no free extents", {})

    scene.answer = full
    with pytest.raises(CannotExtendVolume, match="no free extents"):
        scene.grown()
    assert scene.roads == ["call"]


def test_a_wish_that_storage_brings_back_refused_is_an_error(scene: Scene) -> None:
    scene.there, scene.post_answers = None, False
    with pytest.raises(CannotExtendVolume):
        scene.grown()


def test_an_spm_that_says_yes_and_does_nothing_is_found_out(scene: Scene) -> None:
    scene.there, scene.post_works = None, False
    with pytest.raises(CannotExtendVolume):
        scene.grown()


def test_nobody_is_asked_for_what_is_there(scene: Scene) -> None:
    assert scene.grown(GiB) == GiB
    assert scene.roads == [] and scene.told == []


def test_who_waited_behind_a_larger_wish_asks_for_nothing(scene: Scene) -> None:
    waiting: Deferred[calling.Answer] = Deferred()
    scene.answer = lambda: waiting
    first, second, third = scene.grow(4 * GiB), scene.grow(2 * GiB), scene.grow(3 * GiB)
    scene.real = 4 * GiB
    waiting.callback(calling.Answer(0, "OK", {}))
    assert (first.result, second.result, third.result) == (4 * GiB,) * 3
    assert scene.roads == ["call"]


def test_who_waited_behind_a_failure_tries_for_himself(scene: Scene) -> None:
    waiting: Deferred[calling.Answer] = Deferred()
    scene.answer = lambda: waiting
    first, second = scene.grow(4 * GiB), scene.grow(2 * GiB)
    scene.answer = None
    waiting.callback(calling.Answer(206, "no room", {}))
    assert first.result.check(CannotExtendVolume)
    first.addErrback(lambda _: None)
    assert second.result == 2 * GiB


def test_every_growth_is_told_with_its_road(scene: Scene) -> None:
    scene.grown()
    assert scene.told == [{"domain": DOMAIN, "volume": VOLUME, "size": 2 * GiB, "road": "call", "seconds": 0.0}]


@pytest.mark.parametrize(("role", "there"), [(Role.SPM, None), (Role.FREE, THERE), (Role.FREE, None)])
def test_another_host_sees_the_new_size_first(scene: Scene, role: Role, there: SpmAddress | None) -> None:
    scene.role, scene.there = role, there
    sizes = []

    async def first() -> None:
        sizes.append((scene.real, scene.seen))

    assert now(scene.growing.grow("pool", DOMAIN, IMAGE, VOLUME, 2 * GiB, first=first)) == 2 * GiB
    assert sizes == [(2 * GiB, GiB)] and scene.refreshed == 1


def test_a_size_that_another_host_cannot_see_is_not_seen_here(scene: Scene) -> None:
    async def refuse() -> None:
        raise OSError("no such host")

    scene.role = Role.SPM
    with pytest.raises(OSError, match="no such host"):
        now(scene.growing.grow("pool", DOMAIN, IMAGE, VOLUME, 2 * GiB, first=refuse))
    assert (scene.real, scene.seen) == (2 * GiB, GiB)
    assert scene.grown() == 2 * GiB


def test_what_another_host_has_changed_is_seen_when_told(scene: Scene) -> None:
    scene.real = 3 * GiB
    assert now(scene.growing.see(DOMAIN, IMAGE, VOLUME)) == 3 * GiB
