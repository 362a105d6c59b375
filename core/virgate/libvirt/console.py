"""A machine's text console as a libvirt stream: bytes out of the guest, bytes into it."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import libvirt

from virgate.libvirt.connection import Hypervisor
from virgate.run.loop import reactor

CHUNK = 1 << 15
NOTHING_YET = -2


class Console:
    """An open console; made by `open_console`. Everybody else's console of the same device is closed by opening it."""

    def __init__(self, received: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        self._received, self._ended = received, ended
        self._stream: Any = None
        self._unsent = bytearray()

    @property
    def closed(self) -> bool:
        return self._stream is None

    def write(self, data: bytes) -> None:
        """Types into the guest; what it does not take yet waits here."""
        if not self.closed:
            self._unsent += data
            self._watch()

    def close(self) -> None:
        """Ends it; `ended` is called, once."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        with suppress(libvirt.libvirtError):
            stream.eventRemoveCallback()
        with suppress(libvirt.libvirtError):
            stream.abort()
        self._ended()

    def attach(self, stream: Any) -> None:
        self._stream = stream
        stream.eventAddCallback(libvirt.VIR_STREAM_EVENT_READABLE | ENDING, self._happened, None)

    def _watch(self) -> None:
        writable = libvirt.VIR_STREAM_EVENT_WRITABLE if self._unsent else 0
        self._stream.eventUpdateCallback(libvirt.VIR_STREAM_EVENT_READABLE | ENDING | writable)

    def _happened(self, stream: Any, events: int, opaque: object) -> None:
        try:
            if events & libvirt.VIR_STREAM_EVENT_WRITABLE:
                self._send()
            going = not events & libvirt.VIR_STREAM_EVENT_READABLE or self._receive()
        except libvirt.libvirtError:
            going = False
        if not going or events & ENDING:
            reactor.callLater(0, self.close)  # not from inside the stream's own callback

    def _send(self) -> None:
        sent = self._stream.send(bytes(self._unsent[:CHUNK]))
        if sent > 0:
            del self._unsent[:sent]
        self._watch()

    def _receive(self) -> bool:
        while not self.closed:
            data = self._stream.recv(CHUNK)
            if data == NOTHING_YET:
                return True
            if not data:
                return False
            self._received(data)
        return False


ENDING = libvirt.VIR_STREAM_EVENT_ERROR | libvirt.VIR_STREAM_EVENT_HANGUP


async def open_console(
    hypervisor: Hypervisor,
    uuid: str,
    received: Callable[[bytes], None],
    ended: Callable[[], None],
    device: str | None = None,
) -> Console:
    """Opens a machine's first console, or the one of this alias. Both functions are called in the reactor's thread."""
    console = Console(received, ended)

    def open(connection: Any) -> Any:
        stream = connection.newStream(libvirt.VIR_STREAM_NONBLOCK)
        connection.lookupByUUIDString(uuid).openConsole(device, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
        return stream

    console.attach(await hypervisor.call(open, uuid=uuid))
    return console
