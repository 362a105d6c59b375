"""When to try a channel's socket again (spec guest-agent 1.5). Pure."""

from attrs import define

PATIENCE = 5
"""Failures in a row after which attempts become rare."""


@define
class Attempts:
    """Every second at first; after five failures each time after `cooldown` seconds, until the guest is heard."""

    cooldown: float
    failures: int = 0
    not_before: float = 0.0

    def due(self, now: float) -> bool:
        return now >= self.not_before

    def failed(self, now: float) -> None:
        self.failures += 1
        if self.failures >= PATIENCE:
            self.not_before = now + self.cooldown

    def heard(self) -> None:
        """Only data prove that somebody is there: QEMU accepts whether the guest listens or not."""
        self.failures, self.not_before = 0, 0.0
