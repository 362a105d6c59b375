"""Two clients change a pool at random while things fail: every acknowledged volume is there, and nothing else."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.cleanup import Lab
from lab.clients import Client, Gate
from lab.grounds import NfsGround
from lab.pools import Pool
from lab.servers import Server
from lab.timeline import Timeline

OPERATIONS = "virgate.node.storage.operations"
VOLUMES = 100
"""Of each client."""
SEED = 20260
FROZEN = 20.0
PATIENCE = 6.0
"""Seconds after which an operation is given up: a mount of NFSv4 waits for a frozen server as long as it takes."""
IO_TIMEOUT = 5
"""With it sanlock survives an outage of 25 seconds."""


class Faults:
    """What goes wrong. Each comes back when all works again."""

    def __init__(self, pool: Pool, server: Server, gate: Gate, timeline: Timeline) -> None:
        self.pool = pool
        self.server = server
        self.gate = gate
        self.timeline = timeline

    def workers_killed(self) -> None:
        """All that touch files, at one moment."""
        node = self.pool.spm
        listed = node.host.shell(f"ps -o pid=,args= --ppid {node.pid} | grep {OPERATIONS}").splitlines()
        node.host.run("kill", "-9", *(line.split()[0] for line in listed), check=False)
        self.timeline.note(node.name, f"{len(listed)} workers are killed")

    def server_frozen(self) -> None:
        """Operations fail meanwhile, perhaps in the midst of being undone."""
        self.timeline.note("storage", "the server is frozen")
        self.server.freeze()
        try:
            time.sleep(FROZEN)
        finally:
            self.server.thaw()
        self.timeline.note("storage", "the server goes on")

    def daemon_killed(self) -> None:
        node = self.pool.spm
        self.gate.close()
        self.timeline.note(node.name, "the daemon is killed")
        node.kill()
        node.start()
        self.timeline.note(node.name, "it is back")
        self.pool.rejoin(node)
        self.pool.start_spm(node)
        tasks = self.pool.settle()
        self.timeline.note(node.name, f"SPM again; {tasks} tasks recovered")
        self.gate.open()


def struggle(clients: Sequence[Client], faults: Sequence[Callable[[], None]], over: threading.Event) -> None:
    """The faults come while the clients work, one after each part of the work."""
    with ThreadPoolExecutor() as threads:
        working = [threads.submit(client.work, VOLUMES) for client in clients]
        try:
            for number, fault in enumerate(faults, start=1):
                due = 2 * VOLUMES * number // (len(faults) + 1)
                while sum(client.made for client in clients) < due and not any(each.done() for each in working):
                    over.wait(0.05)
                fault()
            for each in working:
                each.result()
        finally:
            over.set()


def check(pool: Pool, clients: Sequence[Client]) -> None:
    images = set(pool.spm.call("getImagesList", pool.master)["imageslist"])
    assert images == {image for client in clients for image in client.chains}
    expected = {volume for client in clients for chain in client.chains.values() for volume in chain.volumes}
    assert pool.volumes() == expected
    for client in clients:
        client.check()
    assert not pool.findings()


@pytest.mark.timeout(900)
def test_no_acknowledged_volume_is_lost_whatever_fails(lab: Lab) -> None:
    timeline = Timeline("volumes made, merged and deleted by two clients while things fail")
    ground = NfsGround(lab, ["master"], io_timeout=IO_TIMEOUT, sessions=False)
    pool = ground.pool("east", settings={"spm.election_after": 0, "storage.patience": PATIENCE})
    gate, over = Gate(), threading.Event()
    clients = [Client(f"client {n}", pool, pool.master, SEED + n, gate, over) for n in (1, 2)]
    faults = Faults(pool, ground.nfs, gate, timeline)
    try:
        struggle(
            clients, [faults.workers_killed, faults.server_frozen, faults.daemon_killed, faults.workers_killed], over
        )
        timeline.note("clients", f"{[client.made for client in clients]} volumes were made")
        pool.spm.call("spmStop", pool.id)
        pool.start_spm(pool.spm)  # sweeps what merges could not delete
        check(pool, clients)
        timeline.note("east", "all acknowledged volumes are there, nothing else")
    finally:
        for client in clients:
            for failure in client.failures:
                print(failure)
            print(f"{client.name}: {client.operations} operations, {client.made} volumes, {len(client.chains)} images")
        timeline.keep("random")
