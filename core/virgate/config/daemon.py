"""The settings of the daemon as a whole."""

from pathlib import Path
from typing import Literal

from attrs.validators import ge

from virgate.config import option, places, section


@section("daemon")
class DaemonSettings:
    """What this daemon is and where it keeps what it must remember."""

    roles: list[Literal["node", "engine"]] = option(
        ["node"], "What the daemon does: node runs machines on this host; engine is not built yet."
    )
    state_dir: Path = option(places.state, "Folder for what must survive a reboot: lock, keys, storage repository.")
    run_dir: Path = option(places.run, "Folder for what need not: links of prepared images, payloads, launch flags.")
    log_file: str = option("", "File the log is appended to; empty writes to standard error.")
    log_format: Literal["logfmt", "json"] = option("logfmt", "How a line of the log is written.")
    log_level: Literal["debug", "info", "warn", "error"] = option("info", "The least important lines that are kept.")
    drain: float = option(10.0, "Seconds that calls still running may take to end when the daemon is stopped.", ge(0))
