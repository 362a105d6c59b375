"""Clients that change a pool at random and know, whatever fails meanwhile, what must be there.

Each owns its images. It makes, writes, snapshots, merges and deletes; an operation that was acknowledged has happened,
one that failed has happened or not, and which of the two is looked up before the client goes on. All else is wrong.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lab.calls import Refused
from lab.pools import BLANK, COW, MIB, RAW, Disk, Pool, new_id
from lab.process import CommandFailed, CommandTimedOut

SIZE = 8 * MIB
CLUSTER = 65536
LONGEST = 5  # volumes of a chain
MOST = 8  # images of a client


@dataclass(frozen=True)
class Chain:
    """An image as it must be: its volumes, base first, and what was written, by cluster."""

    domain: str
    image: str
    volumes: tuple[str, ...] = ()
    written: tuple[tuple[int, int], ...] = ()
    """Cluster and value: the last value of a cluster counts."""

    @property
    def top(self) -> Disk:
        return Disk(self.domain, self.image, self.volumes[-1])


@dataclass
class Gate:
    """Closed while the daemon is away: what was asked of it has happened or not by the time the gate opens."""

    _open: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._open.set()

    def close(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def pass_through(self, seconds: float = 240) -> None:
        if not self._open.wait(seconds):
            raise TimeoutError("the daemon does not come back")


class Client:
    """Works until `over` is set or `volumes` were made; `made` counts volumes that were acknowledged."""

    def __init__(self, name: str, pool: Pool, domain: str, seed: int, gate: Gate, over: threading.Event) -> None:
        self.name = name
        self.pool = pool
        self.domain = domain
        self.chains: dict[str, Chain] = {}
        self.gone: set[str] = set()
        self.made = self.operations = 0
        self.failures: list[str] = []
        self._dice = random.Random(seed)
        self._gate = gate
        self._over = over

    def work(self, volumes: int) -> None:
        while self.made < volumes and not self._over.is_set():
            self._gate.pass_through()
            self.step()

    def step(self) -> None:
        chains = list(self.chains.values())
        chain = self._dice.choice(chains) if chains else None
        able = ["create"] * (len(chains) < MOST)
        if chain is not None:
            able += ["write", "write", "delete"] + ["snapshot"] * 3 * (len(chain.volumes) < LONGEST)
            able += ["merge"] * 2 * (len(chain.volumes) > 1)
        what = self._dice.choice(able)
        if what == "create":
            self._create()
        else:
            getattr(self, f"_{what}")(chain)
        self.operations += 1

    # operations: each is tried, and the chain is what it was or what it was to become

    def _create(self) -> None:
        form = self._dice.choice([RAW, COW])
        new = Chain(self.domain, new_id(), (new_id(),))
        order = self.pool.order(new.top, SIZE, form, None)
        if self._attempt(Chain(self.domain, new.image), new, lambda: self.pool.do("createVolume", *order)):
            self.made += 1

    def _snapshot(self, chain: Chain) -> None:
        new = replace(chain, volumes=(*chain.volumes, new_id()))
        order = self.pool.order(new.top, SIZE, COW, chain.top)
        if self._attempt(chain, new, lambda: self.pool.do("createVolume", *order)):
            self.made += 1

    def _merge(self, chain: Chain) -> None:
        first = self._dice.randrange(len(chain.volumes) - 1)
        last = self._dice.randrange(first + 1, len(chain.volumes))
        new = replace(chain, volumes=chain.volumes[:first] + chain.volumes[last:])
        ends = chain.volumes[first], chain.volumes[last]
        self._attempt(
            chain,
            new,
            lambda: self.pool.do("mergeSnapshots", self.domain, self.pool.id, BLANK, chain.image, *ends),
        )

    def _delete(self, chain: Chain) -> None:
        gone = Chain(self.domain, chain.image)
        self._attempt(
            chain, gone, lambda: self.pool.do("deleteImage", self.domain, self.pool.id, chain.image, "false", "false")
        )

    def _write(self, chain: Chain) -> None:
        """A write that failed may have happened: then the cluster is written again before anybody looks."""
        cluster, value = self._dice.randrange(SIZE // CLUSTER), self._dice.randrange(1, 255)
        while not self._over.is_set():
            try:
                self.pool.write(chain.top, value, cluster * CLUSTER, CLUSTER)
                break
            except (OSError, Refused, CommandFailed, CommandTimedOut) as problem:
                self._note(problem)
                self._gate.pass_through()
        self.chains[chain.image] = replace(chain, written=(*chain.written, (cluster, value)))

    def _attempt(self, before: Chain, after: Chain, action: Callable[[], object]) -> bool:
        """Whether it was acknowledged."""
        try:
            action()
        except (OSError, Refused) as problem:
            self._note(problem)
            self._gate.pass_through()
            self._keep(self._which(before, after))
            return False
        self._keep(after)
        return True

    def _which(self, before: Chain, after: Chain, seconds: float = 60) -> Chain:
        """Which of the two is on the storage."""
        found: set[str] = set()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                found = self.there(before.image)
            except (OSError, Refused) as problem:
                self._note(problem)
                self._gate.pass_through()
            else:
                for chain in (before, after):
                    if found == set(chain.volumes):
                        return chain
            time.sleep(0.2)
        raise AssertionError(f"image {before.image} has {found}: neither {before.volumes} nor {after.volumes}")

    def there(self, image: str) -> set[str]:
        """The volumes of an image; none when there is no such image."""
        if image not in self.pool.spm.call("getImagesList", self.domain)["imageslist"]:
            return set()
        return set(self.pool.volumes(self.domain, image))

    def _keep(self, chain: Chain) -> None:
        if chain.volumes:
            self.chains[chain.image] = chain
        else:
            self.chains.pop(chain.image, None)
            self.gone.add(chain.image)

    def _note(self, problem: Exception) -> None:
        self.failures.append(f"{self.name}: {str(problem).splitlines()[0][:200]}")

    # the end

    def check(self) -> None:
        """Every acknowledged volume is there, in the right order and with its data; of the others nothing is."""
        for chain in self.chains.values():
            assert self.there(chain.image) == set(chain.volumes), chain
            for parent, volume in zip((BLANK, *chain.volumes), chain.volumes, strict=False):
                assert self.pool.info(replace(chain.top, volume=volume))["parent"] == parent, chain
            for cluster, value in dict(chain.written).items():
                assert self.pool.holds(chain.top, value, cluster * CLUSTER, CLUSTER), (chain, cluster, value)
