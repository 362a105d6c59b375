"""`virgate hooks`: which scripts are installed on this machine, and trying one out before it is."""

import difflib
import json
import tempfile
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from virgate import hookspecs
from virgate.config import SettingsError, load, places
from virgate.hookscripts.discovery import scripts_of
from virgate.hookscripts.settings import HookSettings
from virgate.hookspecs.point import Failure, Point

if TYPE_CHECKING:
    from virgate.hookscripts.trial import Trial

R = TypeVar("R")


def _points() -> dict[str, Point]:
    declared = (hookspecs.points(module) for module in hookspecs.modules())
    return {name: point for points in declared for name, point in points.items() if point.scripts}


def _point(ctx: click.Context, param: click.Parameter, value: str) -> Point:
    points = _points()
    if value not in points:
        near = difflib.get_close_matches(value, points, n=1, cutoff=0.5)
        raise click.BadParameter(f"there is no hook point {value}" + (f"; did you mean {near[0]}?" if near else ""))
    return points[value]


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(_points()) if name.startswith(incomplete)]


_config = click.option(
    "--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Settings of the daemon."
)
_as_json = click.option("--json-output", is_flag=True, help="Print JSON for programs.")


@click.group()
def hooks() -> None:
    """Drop-in scripts: which are installed, and trying one out."""


@hooks.command("list")
@_config
@click.option("--installed", is_flag=True, help="Only the points that have scripts.")
@_as_json
@click.pass_context
def list_(ctx: click.Context, config: Path | None, installed: bool, json_output: bool) -> None:
    """Every hook point, and the scripts it runs on this machine in their order.

    The folders are those of the settings file (default: /etc/virgate/virgate.toml if it exists).
    """
    directories = _settings(config).directories
    rows = [
        {
            "point": name,
            "failure": point.failure.value,
            "changes": point.changes,
            "scripts": list(scripts_of(name, directories)),
        }
        for name, point in _points().items()
    ]
    shown = [row for row in rows if row["scripts"] or not installed]
    idle = [{"path": path, "reason": reason} for path, reason in _never_run(directories)]
    if _wants_json(ctx, json_output):
        found = {"directories": [str(path) for path in directories], "points": shown, "never_run": idle}
        click.echo(json.dumps(found, indent=2))
        return
    _print_points(shown)
    click.echo(f"Folders: {', '.join(map(str, directories)) or 'none'}")
    for one in idle:
        click.secho(f"Never run: {one['path']} ({one['reason']})", fg="yellow", err=True)


def _print_points(rows: list[dict[str, Any]]) -> None:
    table = Table("point", "a failure", "document", box=None, pad_edge=False, header_style="bold")
    table.add_column("scripts", overflow="fold")  # a path that is cut is of no use
    for row in rows:
        failure = "aborts" if row["failure"] == Failure.ABORT.value else "is logged"
        document = "may be changed" if row["changes"] else ""
        table.add_row(row["point"], failure, document, escape("\n".join(row["scripts"])))
    if rows:
        Console().print(table)
    else:
        click.echo("No scripts are installed.")


def _never_run(directories: list[Path]) -> Iterator[tuple[str, str]]:
    """What lies in the folders and looks like a mistake."""
    points = _points()
    for folder in sorted(path for root in directories if root.is_dir() for path in root.iterdir() if path.is_dir()):
        if folder.name not in points:
            near = difflib.get_close_matches(folder.name, points, n=1)
            yield str(folder), "no hook point has this name" + (f"; did you mean {near[0]}?" if near else "")
        else:
            running = scripts_of(folder.name, [folder.parent])
            for path in sorted(folder.iterdir()):
                if path.is_file() and not path.name.startswith(".") and str(path.absolute()) not in running:
                    yield str(path), "not executable"


@hooks.command("try")
@click.argument("point", callback=_point, shell_complete=_complete)
@click.argument("script", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--xml", type=click.File(encoding="utf-8"), help="The domain or device to run it on; default: a sample.")
@click.option("--json", "json_", type=click.File(encoding="utf-8"), help="The value to run it on; default: a sample.")
@click.option("--set", "assignments", multiple=True, metavar="NAME=VALUE", help="A custom property; may be repeated.")
@_config
@_as_json
@click.pass_context
def try_(
    ctx: click.Context,
    point: Point,
    script: Path,
    xml: Any,
    json_: Any,
    assignments: tuple[str, ...],
    config: Path | None,
    json_output: bool,
) -> None:
    """Run SCRIPT exactly as the daemon runs it at POINT, and show what it does.

    Shows how it ended, what it wrote to standard error and what it changed in the document. Exit status: 0 when the
    operation would go on, 1 when it would be aborted, 2 for wrong arguments.
    """
    from virgate.hookscripts import trial
    from virgate.hookscripts.discovery import is_script
    from virgate.hookscripts.runner import Runner

    if not is_script(str(script)):
        raise click.UsageError(f"{script} is not executable, so the daemon would pass over it: chmod +x {script}")
    settings = _settings(config)
    try:
        text = _document(trial.parameters(point), xml, json_)
        given = trial.arguments(point, text, dict(map(_pair, assignments)))
    except ValueError as problem:
        raise click.UsageError(str(problem)) from None
    with tempfile.TemporaryDirectory(prefix="virgate-try-") as run_dir:  # launch flags, if the script sets any
        runner = Runner(settings, Path(run_dir))
        found = _wait_for(trial.attempt(runner, point, str(script.absolute()), given))
    if _wants_json(ctx, json_output):
        click.echo(json.dumps(_as_mapping(found), indent=2))
    else:
        _show(found, sample=xml is None and json_ is None)
    ctx.exit(1 if found.aborts else 0)


def _document(names: tuple[str, ...], xml: Any, json_: Any) -> str | None:
    wanted = "--json" if "data" in names else "--xml"
    given = {"--xml": xml, "--json": json_}
    for option, file in given.items():
        if file is not None and option != wanted:
            raise ValueError(f"the document of this point is given with {wanted}")
    file = given[wanted]
    return None if file is None else str(file.read())


def _pair(assignment: str) -> tuple[str, str]:
    name, equals, value = assignment.partition("=")
    if not name or not equals:
        raise ValueError(f"--set {assignment}: expected NAME=VALUE")
    return name, value


def _settings(file: Path | None) -> HookSettings:
    usual = places.configuration() / "virgate.toml"
    try:
        return load(file or (usual if usual.exists() else None))[HookSettings]
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def _wants_json(ctx: click.Context, asked: bool) -> bool:
    return asked or bool(getattr(ctx.obj, "as_json", False))


def _wait_for(job: Coroutine[Any, Any, R]) -> R:
    """Runs the reactor for the time of one coroutine. Ctrl-C cancels it, which kills the script."""
    from twisted.internet import task
    from twisted.internet.defer import Deferred

    found: list[R] = []

    async def main() -> None:
        found.append(await job)

    try:
        task.react(lambda _: Deferred.fromCoroutine(main()))
    except SystemExit as ended:
        if not found:
            raise click.ClickException("the trial was interrupted") from ended
    return found[0]


def _as_mapping(found: "Trial") -> dict[str, Any]:
    return {
        "point": found.point.name,
        "script": found.ended.script,
        "passed": not found.problem,
        "aborts": found.aborts,
        "code": found.ended.code,
        "how": found.ended.how,
        "problem": found.problem,
        "seconds": round(found.ended.seconds, 4),
        "stderr": found.ended.stderr,
        "changed": found.changed,
        "used": found.used,
        "document": found.after,
        "diff": found.diff,
    }


_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def _show(found: "Trial", *, sample: bool) -> None:
    out = Console(highlight=False, soft_wrap=True)
    verdict, colour = _verdict(found)
    out.print(f"[bold {colour}]{verdict}[/] {escape(found.ended.script)} {escape(found.ended.how)}", end="")
    out.print(f", {found.ended.seconds * 1000:.1f} ms, at {found.point.name}")
    if found.problem and found.problem not in (found.ended.how, found.ended.stderr):
        out.print(escape(found.problem), style=colour)
    if found.ended.stderr:
        out.print("[bold]standard error[/]")
        out.print(escape(found.ended.stderr), style="dim")
    out.print(f"[bold]{_fate(found)}[/]" + (" (a sample document was used)" if sample and found.before else ""))
    for line in found.diff:
        out.print(escape(line), style=_COLOURS.get(line[0], ""))


def _verdict(found: "Trial") -> tuple[str, str]:
    if found.aborts:
        return "ABORTS", "red"
    return ("FAILS, which is only logged:", "yellow") if found.problem else ("PASSES", "green")


def _fate(found: "Trial") -> str:
    """What becomes of the document."""
    if not found.changed:
        return "the document is unchanged"
    layout = "" if found.diff else ", in its layout only"
    if found.used:
        return f"the document is changed{layout}"
    if found.aborts:
        why = "the operation is aborted"
    else:
        why = "it cannot be used" if found.damaged else "this point does not take changes"
    return f"the document was changed{layout}, which has no effect: {why}"
