"""Whether somebody else could change a file or folder that the daemon lives by: it often runs as root."""

import os
import stat
from pathlib import Path


def distrusted(path: Path) -> str:
    """Why it cannot be trusted, to follow its name; empty when only root, our user and our group can change it."""
    found = path.stat()
    if found.st_uid not in (0, os.geteuid()):
        return f"belongs to user {found.st_uid}; it must be root's or the daemon's own"
    if found.st_mode & stat.S_IWOTH:
        return "can be changed by anybody; take the write permission of others away"
    if found.st_mode & stat.S_IWGRP and found.st_gid not in (0, os.getegid()):
        return f"can be changed by group {found.st_gid}; take the write permission of the group away"
    return ""
