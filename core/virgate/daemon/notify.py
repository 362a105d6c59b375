"""Tells the service manager how far the daemon is (sd_notify(3)); without one, nothing happens."""

import os
import socket


def notify(**state: str | int) -> None:
    """`notify(READY=1, STATUS="...")`: one datagram to $NOTIFY_SOCKET."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    name = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as door:
        try:
            door.connect(name)
            door.send("\n".join(f"{key}={value}" for key, value in state.items()).encode())
        except OSError:
            return  # a service manager that went away must not take the daemon with it
