"""The directory name of a mounted remote path (spec storage-format 1.2)."""

import posixpath
import re

_PORT_AND_PATH = re.compile(r"([1-9][0-9]{0,4}):(.*)", re.DOTALL)


def normalize(remote: str) -> str:
    """One spelling of `/path`, `host:/path`, `[v6]:/path` or `host:port:/path`, the one domain metadata stores."""
    if remote.startswith("/") or ":" not in remote:
        return _path(remote)
    host, tail = _split_host(remote)
    port_and_path = _PORT_AND_PATH.fullmatch(tail)
    if port_and_path and int(port_and_path[1]) <= 65535:
        return f"{host}:{port_and_path[1]}:{_path(port_and_path[2])}"
    return f"{host}:{_path(tail)}"


def escape(path: str) -> str:
    """A path as one directory name. The order matters: underscores first, then slashes."""
    return path.replace("_", "__").replace("/", "_")


def directory_name(remote: str) -> str:
    """The name below the mount root."""
    return escape(normalize(remote))


def _split_host(remote: str) -> tuple[str, str]:
    if remote.startswith("["):
        address, bracket, tail = remote.partition("]:")
        if bracket:
            return address + "]", tail
    host, _, tail = remote.partition(":")
    return host, tail


def _path(path: str) -> str:
    normal = posixpath.normpath(path) if path else path
    return "/" + normal.lstrip("/") if normal.startswith("/") else normal
