"""Reads the description of a machine from a file, in any of the three forms that people have."""

import json
import uuid
from pathlib import Path
from typing import Any

from virgate.cli.problems import Problem
from virgate.domxml import createfile
from virgate.errors import VirgateError


def read(file: Path) -> dict[str, Any]:
    """The parameters of `create`: from libvirt domain XML, a JSON object of them, or lines of name=value."""
    try:
        text = file.read_text(encoding="utf-8").lstrip()
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is no UTF-8 text'}") from None
    if text.startswith("<"):
        return {"xml": text}
    params = _json(file, text) if text.startswith(("{", "[")) else _lines(file, text)
    return {"vmId": str(uuid.uuid4()), **params}


def _json(file: Path, text: str) -> dict[str, Any]:
    try:
        params = json.loads(text)
    except json.JSONDecodeError as error:
        raise Problem(f"{file} is no JSON: {error}") from None
    if not isinstance(params, dict):
        raise Problem(f"{file} holds no JSON object of `create` parameters.")
    return params


def _lines(file: Path, text: str) -> dict[str, Any]:
    try:
        params = createfile.read(text.splitlines())
    except VirgateError as error:
        raise Problem(f"{file}: {error}") from None
    if "memSize" not in params:
        raise Problem(
            f"{file} describes no machine: it is neither domain XML nor JSON, and has no line memSize=...",
            "docs/admin.md shows an example of each.",
        )
    return params
