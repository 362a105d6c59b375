"""How much a guest may say: a store of bytes and messages that fills up slowly (never said by a guest that is well).

A working agent sends some 60 bytes a second, and at its start a hundred messages at most; with thousands of
interfaces a few hundred kilobytes at once. A guest that sends more is left unread for a while, and its writes wait.
"""

from attrs import define, frozen


@frozen
class Limits:
    """Both stores: what is in them at most, and what comes in per second."""

    messages: float = 300
    messages_rate: float = 10
    bytes: float = 3 << 20
    bytes_rate: float = 32 << 10


@define
class Budget:
    limits: Limits
    at: float
    """Monotonic seconds of the last refill."""
    messages: float = 0
    bytes: float = 0

    @classmethod
    def full(cls, limits: Limits, now: float) -> "Budget":
        return cls(limits, now, limits.messages, limits.bytes)

    @property
    def left(self) -> bool:
        return self.messages >= 1 and self.bytes > 0

    def spend(self, size: int) -> None:
        """One message; a long one may leave less than nothing, which the next ones pay."""
        self.messages -= 1
        self.bytes -= size

    def refill(self, now: float) -> None:
        passed, self.at = max(now - self.at, 0.0), now
        limits = self.limits
        self.messages = min(self.messages + passed * limits.messages_rate, limits.messages)
        self.bytes = min(self.bytes + passed * limits.bytes_rate, limits.bytes)
