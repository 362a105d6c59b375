"""Hears what a daemon sends to a destination: STOMP over the management port."""

import socket
from collections.abc import Iterator

from virgate.cli.client import Client
from virgate.cli.problems import Problem
from virgate.stomp import BEAT, BadFrame, Frame, Parser, encode

BEAT_EVERY = 10
"""Seconds between the daemon's heart-beats; none in three times that means that it is gone."""


def heard(client: Client, destination: str) -> Iterator[bytes]:
    """The bodies of messages, until the generator is closed. Raises `Problem` when the daemon is gone."""
    with client.link() as link:
        link.settimeout(3 * BEAT_EVERY)
        link.sendall(encode(Frame("CONNECT", {"accept-version": "1.2", "heart-beat": f"0,{BEAT_EVERY * 1000}"})))
        frames = _frames(link, str(client.where))
        _expect(next(frames), "CONNECTED")
        link.sendall(encode(Frame("SUBSCRIBE", {"destination": destination, "id": "events", "receipt": "events"})))
        _expect(next(frames), "RECEIPT")
        for frame in frames:
            _expect(frame, "MESSAGE")
            yield frame.body


def _frames(link: socket.socket, where: str) -> Iterator[Frame]:
    parser = Parser()
    try:
        while True:
            while (frame := parser.next()) is not None:
                yield frame
            data = link.recv(65536)
            if not data:
                raise Problem(f"{where} ended the connection.", "Does it run, and may this user call?")
            if data != BEAT:
                parser.feed(data)
    except TimeoutError:
        raise Problem(f"{where} is silent.", "Does the host still run, and the network between?") from None
    except (OSError, BadFrame) as problem:
        raise Problem(f"{where}: {problem}", "Does the daemon ask for encryption there? --tls tries.") from None


def _expect(frame: Frame, command: str) -> None:
    if frame.command == "ERROR":
        raise Problem(f"The daemon refuses: {frame.headers.get('message', '')}")
    if frame.command != command:
        raise Problem(f"The daemon said {frame.command} where {command} was expected.")
