"""From libvirt's event to the client that subscribed: alone, and as the last of a hundred."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import libvirt
from figures import Figure, percentile
from lab.jsonrpc import EVENTS, JsonRpc
from lab.libvirtd import PrivateLibvirtd
from lab.virgated import Running
from machines import start

ROUNDS = 60
OTHERS = 99
TARGET = "under 50 ms"

LISTENERS = """
import selectors, sys
sys.path[:0] = sys.argv[3:]
from lab.jsonrpc import JsonRpc
clients = [JsonRpc(int(sys.argv[1]), 600) for _ in range(int(sys.argv[2]))]
ready = selectors.DefaultSelector()
for client in clients:
    client.subscribe()
    ready.register(client.link, selectors.EVENT_READ)
print("listening", flush=True)
while True:
    for key, _ in ready.select():
        if not key.fileobj.recv(1 << 16):
            sys.exit()
"""


def event_to_subscriber(folder: Path) -> list[Figure]:
    """Somebody else pauses and resumes the guest: the daemon learns it as an event, as this program does."""
    libvirt.virEventRegisterDefaultImpl()
    with PrivateLibvirtd(folder / "l") as libvirtd:
        running = Running(folder, uri=libvirtd.uri).start()
        watch = Watch(libvirtd.uri)
        listeners = None
        try:
            vm, _ = start(running)
            alone = measured(running, watch, vm)
            argv = [sys.executable, "-c", LISTENERS, str(running.port), str(OTHERS), *sys.path]
            listeners = subprocess.Popen(argv, stdout=subprocess.PIPE)
            assert listeners.stdout is not None and listeners.stdout.readline() == b"listening\n"
            crowd = measured(running, watch, vm)
            running.api.destroy(vm)
        finally:
            watch.close()
            if listeners is not None:
                listeners.kill()
                listeners.wait()
            running.end()
    return [
        Figure("libvirt event to JSON-RPC subscriber, p95", percentile(alone, 0.95), "ms", TARGET),
        Figure("the same, last of 100 subscribers, p95", percentile(crowd, 0.95), "ms", TARGET),
    ]


class Watch:
    """When libvirt tells this program of a domain's pauses; a connection and a thread of its own."""

    def __init__(self, uri: str) -> None:
        self.at = 0.0
        self.told = threading.Event()
        self._over = False
        self._ended = threading.Thread(target=self._run, daemon=True)
        self.connection = libvirt.open(uri)
        self.connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._heard, None)
        self._ended.start()

    def _run(self) -> None:
        timer = libvirt.virEventAddTimeout(100, lambda *_: None, None)
        while not self._over:
            libvirt.virEventRunDefaultImpl()
        libvirt.virEventRemoveTimeout(timer)

    def _heard(self, _connection: Any, _domain: Any, event: int, _detail: int, _opaque: Any) -> None:
        if event in (libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_RESUMED):
            self.at = time.monotonic()
            self.told.set()

    def close(self) -> None:
        self._over = True
        self._ended.join()


def measured(running: Running, watch: Watch, vm: str) -> list[float]:
    """Milliseconds from libvirt's event to the arrival of ours; ours may be the first, by less than one."""
    domain = watch.connection.lookupByUUIDString(vm)
    with JsonRpc(running.port) as client:
        client.subscribe(EVENTS)
        found = []
        for number in range(ROUNDS):
            watch.told.clear()
            (domain.resume if number % 2 else domain.suspend)()
            assert watch.told.wait(10)
            arrived, _ = client.event(lambda event: event["method"] == f"|virt|VM_status|{vm}")
            found.append((arrived - watch.at) * 1000)
            time.sleep(0.02)
    return found
