"""The agent inside a virtual machine. It needs Python 3.6 or newer, its standard library, and nothing else.

It speaks the protocol of the oVirt guest agent (spec guest-agent), so that it serves under Virgate and under other
hosts of that family. Read `agent.py` first: what is sent when, and what a command of the host does. `wire.py`,
`negotiation.py`, `timetable.py`, `settings.py` and `orders.py` are pure; `port.py`, `loop.py`, `errands.py` and
`sources/` touch the machine. One process, one thread, one poll.

Memory is a feature here: modules import little, annotations of generic types are strings, and `typing` is not loaded.
"""

__version__ = "0.1.0"


def main() -> int:
    """The console script."""
    from virgate_guest.command import main as run

    return run()
