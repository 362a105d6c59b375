"""Pings from eight clients that keep their connections, against a daemon on one core."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from figures import Figure
from lab.virgated import Running

CLIENTS, SECONDS = 8, 5.0

BODY = b"<?xml version='1.0'?><methodCall><methodName>ping</methodName><params/></methodCall>"
REQUEST = (
    b"POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
)


def pings(folder: Path) -> list[Figure]:
    running = Running(folder).start()
    assert running.process is not None
    try:
        os.sched_setaffinity(running.process.pid, {0})
        argv = [sys.executable, __file__, str(running.port)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        rate = float(subprocess.run(argv, capture_output=True, text=True, check=True, env=environment).stdout)
        return [Figure("ping, 8 keep-alive clients, one core", rate, "calls/s", "over 2,000 calls/s")]
    finally:
        running.end()


def client(port: int) -> float:
    """Sends from all connections at once and reads whole answers; answers per second."""
    import select

    doors = [socket.create_connection(("127.0.0.1", port)) for _ in range(CLIENTS)]
    waiting = select.poll()
    by_file = {door.fileno(): door for door in doors}
    received = dict.fromkeys(by_file, b"")
    for door in doors:
        waiting.register(door, select.POLLIN)
        door.sendall(REQUEST)
    done, ends = 0, time.perf_counter() + SECONDS
    started = time.perf_counter()
    while time.perf_counter() < ends:
        for file, _ in waiting.poll(1000):
            received[file] += by_file[file].recv(65536)
            if received[file].endswith(b"</methodResponse>") or received[file].endswith(b"</methodResponse>\n"):
                done += 1
                received[file] = b""
                by_file[file].sendall(REQUEST)
    return done / (time.perf_counter() - started)


if __name__ == "__main__":
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(client(int(sys.argv[1])))
