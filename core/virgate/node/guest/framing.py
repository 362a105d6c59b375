"""Bytes from a guest become lines (spec guest-agent 1.3). Pure."""

LIMIT = 1 << 20
"""Bytes that a line may have before its end is seen."""


class Lines:
    """Holds what was not taken yet. A line that grows over the limit is thrown away with its end."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._searched = 0
        self.too_big = False
        """The rest of a line that is too long is being skipped."""

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        if self.too_big:
            end = data.find(b"\n")
            if end < 0:
                return
            data, self.too_big = data[end + 1 :], False
        self._buffer += data

    def take(self) -> bytes | None:
        """The next whole line without its end, None if there is none yet."""
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._buffer)
            if self._searched >= self._limit:
                self.clear()
                self.too_big = True
            return None
        line = bytes(memoryview(self._buffer)[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return line

    def clear(self) -> None:
        """A new connection begins."""
        self._buffer.clear()
        self._searched, self.too_big = 0, False
