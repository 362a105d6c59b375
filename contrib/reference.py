"""Writes what the code declares into the manual: docs/cli.md whole, and the table of settings in docs/admin.md.

`python contrib/reference.py` writes, with `--check` it only tells (exit code 1) which files are not current.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import attrs
import click

DOCS = Path(__file__).resolve().parents[1] / "docs"
BEGIN, END = "<!-- settings: made by contrib/reference.py -->\n", "<!-- end of settings -->"
SAID_ONCE = ("wants_json", "help", "yes")

HEAD = """# The commands of `virgate`

Made by `contrib/reference.py` from the commands themselves; `virgate COMMAND --help` says the same.

| before the command | |
|---|---|
{options}

* `--json` may also stand behind the command. A problem is then an object on standard error:
  `{{"error": {{"message": ..., "code": ..., "hint": ...}}}}`.
* Exit status: 0 done; 1 refused, with the reason and what to do next; 2 wrong arguments; 130 Ctrl-C ended the waiting
  (what the daemon does goes on).
* MACHINE is a name, an id or the beginning of an id; so is DOMAIN. VOLUME is an id, the beginning of one, a
  description, or POOL/DOMAIN/IMAGE/VOLUME.
* On a terminal that is too narrow ids are shortened to eight digits. In a pipe nothing is.
* What destroys data asks first; `--yes` answers.
* Completion of commands, options, machines and domains: `contrib/completion`, or `virgate completion bash`.
"""


def commands() -> str:
    from virgate.cli import main

    rows = "\n".join(f"| `{_spelled(one)}` | {_text(one)} |" for one in main.params if isinstance(one, click.Option))
    parts = [HEAD.format(options=rows)]
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        parts += [f"## {name}", "", *_command(command, f"virgate {name}")]
    return "\n".join(parts).rstrip() + "\n"


def _command(command: click.Command, words: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        if words.count(" ") > 1:
            yield from (f"## {words.removeprefix('virgate ')}", "")
        yield from _paragraphs(command)
        for name, one in sorted(command.commands.items()):
            yield from _command(one, f"{words} {name}")
        return
    arguments = (one.make_metavar(click.Context(command)) for one in command.params if isinstance(one, click.Argument))
    yield f"### `{' '.join([words, *arguments])}`"
    yield ""
    yield from _paragraphs(command)
    options = [one for one in command.params if isinstance(one, click.Option) and one.name not in SAID_ONCE]
    yield from (f"* `{_spelled(one)}` {_text(one)}".rstrip() for one in options)
    if options:
        yield ""


def _paragraphs(command: click.Command) -> Iterator[str]:
    for paragraph in (command.help or "").replace("\b\n", "").split("\n\n"):
        lines = [line.strip() for line in paragraph.strip().splitlines()]
        if any(line.startswith(("virgate ", "qemu-img ", "bash:")) for line in lines):
            yield from (f"    {line}" for line in lines)
        else:
            yield " ".join(lines)
        yield ""


def _spelled(option: click.Option) -> str:
    names = " / ".join([*option.opts, *option.secondary_opts])
    if option.is_flag:
        return names
    metavar = option.metavar or option.make_metavar(click.Context(click.Command("x")))
    return f"{names} {metavar}"


def _text(option: click.Option) -> str:
    default = option.default
    shown = option.show_default and default not in (None, "", False)
    return (option.help or "") + (f" Default: {default}." if shown else "")


def settings() -> str:
    import virgate.daemon.main  # noqa: F401  (declares the sections of the core)
    from virgate import hookspecs
    from virgate.config import sections
    from virgate.plugins import Hooks, PluginSettings, Registry

    with mock.patch.object(os, "geteuid", lambda: 0):  # the defaults of a daemon that root starts
        Registry(Hooks(*hookspecs.modules()), PluginSettings(directories=[])).load_installed()
        rows = ["| key | default | |", "|---|---|---|"]
        for name, section in sections().items():
            values = section()
            rows.append(f"| **[{name}]** | | {section.__doc__} |")
            for key in attrs.fields(section):
                value = getattr(values, key.name)
                rows.append(f"| `{key.name}` | {_value(value)} | {key.metadata['sentence']} |")
    return "\n".join(rows) + "\n"


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(f"`{one}`" for one in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value not in ("", None) else ""


def pages() -> dict[Path, str]:
    """Every page that is made here, as it should be."""
    admin = (DOCS / "admin.md").read_text(encoding="utf-8")
    before, _, rest = admin.partition(BEGIN)
    after = rest.partition(END)[2]
    return {DOCS / "cli.md": commands(), DOCS / "admin.md": before + BEGIN + settings() + END + after}


def main(arguments: list[str]) -> int:
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if "--check" in arguments:
            print(f"{path} is not current: python contrib/reference.py", file=sys.stderr)
        else:
            path.write_text(pages()[path], encoding="utf-8")
    return int(bool(stale) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
