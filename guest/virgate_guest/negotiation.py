"""Which version of the protocol is spoken (spec guest-agent 2, rules of the agent)."""

NEWEST = 3

NEEDS = {"number-of-cpus": 1, "os-info": 2, "timezone": 2, "containers": 3, "completion": 3}
"""Messages that hosts of lower versions do not know."""


class Negotiation:
    """The version both sides speak; 0 until a host says more."""

    def __init__(self) -> None:
        self.current = 0
        self._has_beaten = False

    def allows(self, message: str) -> bool:
        return NEEDS.get(message, 0) <= self.current

    def offer(self) -> int:
        """What the next heartbeat offers. The first offers 0: a host that stayed connected while the agent was
        started anew sees a change, and negotiates again.
        """
        offered = NEWEST if self._has_beaten else 0
        self._has_beaten = True
        return offered

    def agree(self, value: object) -> bool:
        """A host named a version; whether that changed anything. What is no number is ignored."""
        try:
            wanted = int(value)  # type: ignore[call-overload]
        except (TypeError, ValueError, OverflowError):
            return False
        agreed = max(0, min(wanted, NEWEST))
        changed = agreed != self.current
        self.current = agreed
        return bool(changed)

    def refreshed(self, arguments: "dict[str, object]") -> None:
        """A host without versions asks for everything: so it speaks version 0."""
        if "apiVersion" not in arguments:
            self.current = 0
