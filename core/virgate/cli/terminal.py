"""Joins this terminal to a guest's serial console: a pseudo terminal or a socket on the same host."""

import os
import select
import socket
import sys
import termios
import tty
from typing import Any

import click

from virgate.cli.problems import Problem

LEAVE = b"\x1d"  # Ctrl-]


def attach(console: dict[str, Any], name: str) -> None:
    """`console` is {type: "pty" | "unix" | "file", path}; returns when the user leaves or the guest ends."""
    if console["type"] == "file":
        raise Problem(f"The console of {name} is only written to a file.", f"Read it: less {console['path']}")
    try:
        far = _open(console["type"], console["path"])
    except OSError as error:
        raise Problem(f"{console['path']}: {error.strerror}", "Consoles are opened by root, on their host.") from None
    click.echo(f"Connected to {name}; Ctrl-] leaves.", err=True)
    near = sys.stdin.fileno()
    before = termios.tcgetattr(near) if os.isatty(near) else None
    try:
        if before:
            tty.setraw(near)
        _copy(near, far)
    finally:
        if before:
            termios.tcsetattr(near, termios.TCSADRAIN, before)
        os.close(far)
        click.echo("", err=True)


def _open(kind: str, path: str) -> int:
    if kind == "unix":
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        door.connect(path)
        return door.detach()
    file = os.open(path, os.O_RDWR | os.O_NOCTTY)
    if os.isatty(file):
        tty.setraw(file)
    return file


def _copy(near: int, far: int) -> None:
    sources = [near, far]
    while True:
        ready, _, _ = select.select(sources, [], [])
        for source in ready:
            try:
                data = os.read(source, 4096)
            except OSError:
                return
            if source == far:
                if not data:
                    return
                _write(sys.stdout.fileno(), data)
            elif LEAVE in data:
                return
            elif data:
                _write(far, data)
            else:
                sources.remove(near)  # end of piped input: go on reading what the guest says


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
