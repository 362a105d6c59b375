"""The settings of drop-in scripts."""

from pathlib import Path

from attrs.validators import ge

from virgate.config import option, places, section


@section("hooks")
class HookSettings:
    """Executable scripts that take part in events: one folder per hook point (docs/hooks.md)."""

    directories: list[Path] = option(
        lambda: [places.configuration() / "hooks.d"],
        "Folders that hold a folder per hook point. Scripts of all of them run together, ordered by file name; an"
        " existing /usr/libexec/vdsm/hooks works in place.",
    )
    timeout: float = option(
        60.0,
        "Seconds after which a script and all it started are killed, which counts as its failure; 0 waits forever.",
        ge(0),
    )
