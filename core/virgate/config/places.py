"""Where things lie when no setting says otherwise: system folders for root, XDG folders for anybody else."""

import os
from pathlib import Path


def _user_folder(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / fallback) / "virgate"


def configuration() -> Path:
    return Path("/etc/virgate") if os.geteuid() == 0 else _user_folder("XDG_CONFIG_HOME", ".config")


def state() -> Path:
    return Path("/var/lib/virgate") if os.geteuid() == 0 else _user_folder("XDG_STATE_HOME", ".local/state")


def run() -> Path:
    if os.geteuid() == 0:
        return Path("/run/virgate")
    return _user_folder("XDG_RUNTIME_DIR", ".local/state/virgate/run")
