"""One side of the mailbox in a host: `python mailbox_agent.py FOLDER spm` or `... hosts FIRST LAST REQUESTS`.

FOLDER is shared and has `pool/mastersd/dom_md` with inbox and outbox. The SPM lets volumes grow in a twentieth of a
second, refuses sizes that end in 7, and ends when FOLDER/stop appears. The other plays many hosts, who all ask at once.
What happened is printed as JSON.
"""

import json
import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from virgate.node.storage.errors import CannotExtendVolume
from virgate.node.storage.formats.mailbox import Extend
from virgate.node.storage.mailbox.office import Office
from virgate.node.storage.mailbox.places import Place
from virgate.node.storage.mailbox.sender import Sender
from virgate.node.storage.mailbox.settings import MailboxSettings
from virgate.run.helper import Helpers

FOLDER, ROLE = Path(sys.argv[1]), sys.argv[2]
DOMAIN = str(uuid.UUID(int=1))
SETTINGS = MailboxSettings()


def place(helpers: Helpers) -> Place:
    repository = SimpleNamespace(pool=lambda pool: FOLDER / pool)
    pool: Any = SimpleNamespace(
        id="pool", map=SimpleNamespace(master=DOMAIN), domains=SimpleNamespace(repository=repository, known=dict)
    )
    return Place(pool, helpers)


async def spm(helpers: Helpers) -> dict[str, Any]:
    grown: Counter[str] = Counter()

    async def extend(domain: str, volume: str, mib: int) -> None:
        await deferLater(reactor, 0.05)  # type: ignore[arg-type]
        grown[f"{volume} {mib}"] += 1
        if mib % 10 == 7:
            raise CannotExtendVolume(volume, "sizes that end in 7 are refused")

    office = Office(place(helpers), extend, SETTINGS, reactor)  # type: ignore[arg-type]
    await office.start()
    (FOLDER / "open").touch()
    began = time.process_time(), time.monotonic()
    while not (FOLDER / "stop").exists():
        await deferLater(reactor, 0.5)  # type: ignore[arg-type]
    office.stop()
    share = (time.process_time() - began[0]) / (time.monotonic() - began[1])
    return {"grown": dict(grown), "cpu": share}


async def hosts(helpers: Helpers, first: int, last: int, requests: int) -> dict[str, Any]:
    found: list[tuple[float, bool]] = []

    async def ask(sender: Sender, number: int) -> None:
        wish = Extend(DOMAIN, str(uuid.UUID(int=1000 * sender.host + number)), 1000 + number)
        began = time.monotonic()
        granted = await sender.ask(wish)
        found.append((time.monotonic() - began, granted is (wish.mib % 10 != 7)))

    senders = [Sender(place(helpers), host, SETTINGS, reactor) for host in range(first, last + 1)]  # type: ignore[arg-type]
    for sender in senders:
        await sender.start()
    await gatherResults(
        [Deferred.fromCoroutine(ask(sender, number)) for sender in senders for number in range(requests)]
    )
    await deferLater(reactor, 5)  # type: ignore[arg-type]
    for sender in senders:
        await sender.stop()
    return {"seconds": [seconds for seconds, _ in found], "wrong": sum(not right for _, right in found)}


async def main() -> None:
    helpers = Helpers("virgate.node.storage.operations")
    try:
        told = await (spm(helpers) if ROLE == "spm" else hosts(helpers, *map(int, sys.argv[3:6])))
        print(json.dumps(told))
    finally:
        await helpers.close()
        reactor.stop()


def started() -> None:
    Deferred.fromCoroutine(main()).addErrback(lambda failure: failure.printTraceback())


reactor.callWhenRunning(started)
reactor.run()
