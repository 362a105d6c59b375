"""Writes settings as a TOML file: every section and key with its sentence, value and origin."""

from typing import Any

import attrs

from virgate.config.declaring import sections
from virgate.config.loading import Settings


def sample(settings: Settings) -> str:
    """The text of `virgated --dump-config`; reading it back gives the same settings (secrets are left out)."""
    lines: list[str] = []
    for name, section in sections().items():
        values: Any = settings[section]
        lines += [*_comment(section.__doc__ or ""), f"[{name}]"]
        for key in attrs.fields(section):
            lines += _comment(key.metadata["sentence"])
            value = getattr(values, key.name)
            shown = "" if key.metadata["secret"] else f"{key.name} = {_toml(value)}"
            lines += [f"{shown or f'# {key.name} is set and secret'}  # {settings.origin(name, key.name)}", ""]
    return "\n".join(lines)


def _comment(text: str) -> list[str]:
    return [f"# {line.strip()}" for line in text.strip().splitlines() if line.strip()]


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    text = "" if value is None else str(value)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'
