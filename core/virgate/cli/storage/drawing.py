"""Draws the volumes of an image as they lie upon each other."""

from collections.abc import Iterator, Mapping
from typing import Any

from virgate.cli import show
from virgate.cli.storage.finding import BLANK


def tree(image: str, volumes: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """`volumes` maps ids to their getVolumeInfo. What is based on a volume stands below it and further in."""
    yield f"image {image}"
    bases = [id for id, info in sorted(volumes.items()) if info.get("parent", BLANK) not in volumes]
    yield from _branches(bases, volumes, "", set())


def _branches(ids: list[str], volumes: Mapping[str, Mapping[str, Any]], indent: str, seen: set[str]) -> Iterator[str]:
    for id in ids:
        last = id == ids[-1]
        yield f"{indent}{'└─' if last else '├─'} {_line(id, volumes)}"
        if id not in seen:
            children = [other for other, info in sorted(volumes.items()) if info.get("parent") == id]
            yield from _branches(children, volumes, indent + ("   " if last else "│  "), seen | {id})


def _line(id: str, volumes: Mapping[str, Mapping[str, Any]]) -> str:
    info = volumes[id]
    if "format" not in info:
        return f"{id}  its metadata cannot be read"
    used = f"{show.size(info['truesize'])} of {show.size(info['capacity'])}"
    parts = [id, info["format"].lower(), info["voltype"].lower(), used]
    if info["status"] != "OK":
        parts.append(info["status"])
    if info["parent"] not in (BLANK, *volumes):
        parts.append(f"its parent {info['parent']} is missing")
    return "  ".join([*parts, info["description"]]).rstrip()
