"""The mailbox between three hosts over NFS: hundreds of requests at once, and rubbish written in between."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.cleanup import Lab
from lab.growth import figures
from lab.guests import PROJECT
from lab.network import Network
from lab.servers import NfsServer
from lab.uml import Job, UmlHost
from virgate.node.storage.formats.mailbox import MAILBOX

AGENT = Path(__file__).with_name("mailbox_agent.py")
SHARE = "/mnt/share"
FIRST, LAST, REQUESTS = 1, 30, 10
SPOILT = 200


class Mailboxes:
    """Inbox and outbox on an export, the host of the SPM and two that ask."""

    def __init__(self, lab: Lab) -> None:
        network = Network(lab)
        self.nfs = NfsServer(lab, network, ["share"])
        self.hosts = [UmlHost(lab, network, name) for name in ("east", "west", "north")]
        self.folder = self.nfs.path("share") / "pool" / "mastersd" / "dom_md"
        self.folder.mkdir(parents=True)
        for name in ("inbox", "outbox"):
            (self.folder / name).touch()
            os.truncate(self.folder / name, 16 << 20)
        for host in self.hosts:
            host.shell(f"mkdir -p {SHARE}; mount -t nfs4 -o soft,timeo=100 {self.nfs.remote('share')} {SHARE}")

    def agent(self, host: UmlHost, *arguments: object) -> Job:
        script = 'cd "$0"; exec "$@"'
        argv = [sys.executable, str(AGENT), SHARE, *map(str, arguments)]
        return host.start("sh", "-c", script, str(PROJECT), *argv, timeout=300)

    def wait_until_open(self) -> None:
        self.hosts[0].shell(f"until test -e {SHARE}/open; do sleep 0.2; done")

    def spoil(self, stop: threading.Event) -> None:
        """Rubbish in mailboxes of hosts that nobody is, and rings that mean nothing."""
        inbox = os.open(self.folder / "inbox", os.O_WRONLY)
        try:
            while not stop.wait(0.05):
                os.pwrite(inbox, os.urandom(MAILBOX), SPOILT * MAILBOX)
                os.pwrite(inbox, b"1xtnd" + os.urandom(MAILBOX - 5), (SPOILT + 1) * MAILBOX)
                os.pwrite(inbox, b"\0evt" + os.urandom(16), 0)
        finally:
            os.close(inbox)


@pytest.fixture(scope="module")
def told() -> Iterator[dict[str, Any]]:
    """What all agents say after one run of everything."""
    with Lab() as lab:
        boxes = Mailboxes(lab)
        east, west, north = boxes.hosts
        spm = boxes.agent(east, "spm")
        boxes.wait_until_open()
        stop = threading.Event()
        spoiling = threading.Thread(target=boxes.spoil, args=(stop,))
        spoiling.start()
        try:
            middle = (FIRST + LAST) // 2
            asking = [
                boxes.agent(west, "hosts", FIRST, middle, REQUESTS),
                boxes.agent(north, "hosts", middle + 1, LAST, REQUESTS),
            ]
            asked = [json.loads(job.wait(280).check().stdout) for job in asking]
        finally:
            stop.set()
            spoiling.join()
        alone = json.loads(boxes.agent(west, "hosts", 5, 5, 1).wait(100).check().stdout)
        east.shell(f"touch {SHARE}/stop")
        yield {
            "grown": json.loads(spm.wait(60).check().stdout),
            "seconds": [seconds for one in asked for seconds in one["seconds"]],
            "wrong": sum(one["wrong"] for one in asked),
            "alone": alone["seconds"],
            "inbox": (boxes.folder / "inbox").read_bytes(),
        }


def test_every_request_of_thirty_hosts_is_answered_rightly(told: dict[str, Any]) -> None:
    print(f"\n{REQUESTS} requests of each of {LAST} hosts at once: {figures(told['seconds'])}")
    print(f"one alone: {figures(told['alone'])}; the SPM used {100 * told['grown']['cpu']:.1f} % of a processor")
    assert len(told["seconds"]) == LAST * REQUESTS and told["wrong"] == 0


def test_each_volume_was_made_larger_exactly_once(told: dict[str, Any]) -> None:
    counts = dict(told["grown"]["grown"])
    assert sum(counts.values()) == LAST * REQUESTS + 1
    assert sorted(set(counts.values())) in ([1], [1, 2]), "the one that asks alone may ask for the same again"


def test_mailboxes_are_empty_in_the_end(told: dict[str, Any]) -> None:
    assert told["inbox"][MAILBOX : (LAST + 1) * MAILBOX] == bytes(LAST * MAILBOX)
