"""What a client asks for with `migrate` (spec migration 2). Pure."""

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen

from virgate.domxml.values import flag, text
from virgate.node.vm.migration.addresses import Destination
from virgate.node.vm.migration.convergence import Schedule
from virgate.node.vm.migration.errors import BadOrder

GUESSED = ("", "0")
"""What stands for "this host"."""


@frozen
class Order:
    """None: not said."""

    destination: Destination
    data_host: str = ""
    """Of the migration network; empty: the destination itself."""
    console: str = ""
    """`host[:port]` where clients of the screen find it afterwards."""
    tunneled: bool = False
    abort_on_error: bool = False
    compressed: bool = False
    auto_converge: bool = False
    encrypted: bool = False
    zerocopy: bool = False
    guest_events: bool = False
    parallel: int | None = None
    downtime: int | None = None
    bandwidth: int | None = None
    """MiB/s; None: the setting."""
    outgoing: int | None = None
    incoming: int | None = None
    schedule: Schedule | None = None
    cpusets: tuple[str | None, ...] | None = None
    nodesets: tuple[str, ...] | None = None

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> Self:
        """Unknown keys are ignored; `BadOrder` for values that cannot be meant."""
        given = text(params, "dst")
        return cls(
            destination=Destination.read("localhost" if given in GUESSED else given),
            data_host=_host(text(params, "dstqemu")),
            console=text(params, "consoleAddress"),
            tunneled=flag(params.get("tunneled")),
            abort_on_error=flag(params.get("abortOnError")),
            compressed=flag(params.get("compressed")),
            auto_converge=flag(params.get("autoConverge")),
            encrypted=flag(params.get("encrypted")),
            zerocopy=flag(params.get("zerocopy")),
            guest_events=flag(params.get("enableGuestEvents")),
            parallel=_number(params, "parallel"),
            downtime=_number(params, "downtime"),
            bandwidth=_number(params, "maxBandwidth"),
            outgoing=_number(params, "outgoingLimit"),
            incoming=_number(params, "incomingLimit"),
            schedule=_schedule(params.get("convergenceSchedule")),
            cpusets=_sets(params, "cpusets", may_lack=True),
            nodesets=_sets(params, "numaNodesets"),  # type: ignore[arg-type]
        )

    @property
    def data(self) -> str:
        """The host to which the guest's memory goes."""
        return self.data_host or self.destination.host


def _number(params: Mapping[str, Any], name: str) -> int | None:
    """Not said and 0 are the same."""
    value = params.get(name)
    if value in (None, "", 0, "0"):
        return None
    try:
        number = int(str(value))
    except ValueError:
        raise BadOrder(name, f"{value!r} is no number") from None
    if number < 0:
        raise BadOrder(name, f"{number} is less than nothing")
    return number or None


def _host(given: str) -> str:
    return Destination.read(f"[{given}]" if ":" in given and not given.startswith("[") else given).host if given else ""


def _schedule(given: Any) -> Schedule | None:
    if not given:
        return None
    if not isinstance(given, Mapping):
        raise BadOrder("convergenceSchedule", "it is a struct of init and stalling")
    return Schedule.read(given)


def _sets(params: Mapping[str, Any], name: str, *, may_lack: bool = False) -> tuple[str | None, ...] | None:
    given = params.get(name)
    if given is None:
        return None
    if not isinstance(given, list | tuple):
        raise BadOrder(name, "it is a list")
    for one in given:
        if not (one is None and may_lack) and not is_number_set(one):
            raise BadOrder(name, f"{one!r} is no set of numbers")
    return tuple(given)


def is_number_set(given: Any) -> bool:
    """`0-3,^2,8` in libvirt's way."""
    import re

    return isinstance(given, str) and re.fullmatch(r"\^?\d+(-\d+)?(,\^?\d+(-\d+)?)*", given, re.ASCII) is not None
