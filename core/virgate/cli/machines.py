"""Finds a machine by what a person types: its id, the beginning of it, or its name."""

from typing import Any

import click
from click.shell_completion import CompletionItem

from virgate.cli.client import Client, for_completion
from virgate.cli.problems import Problem, Stopped
from virgate.cli.progress import ask_until

STARTING = "WaitForLaunch"
DOWN = "Down"


class Machine(click.ParamType):  # type: ignore[type-arg]
    """A machine argument; completes names."""

    name = "machine"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            found = machines(for_completion(ctx))
        except click.ClickException:
            return []
        names = {str(one.get("vmName") or one["vmId"]): str(one["status"]) for one in found}
        return [CompletionItem(name, help=names[name]) for name in sorted(names) if name.startswith(incomplete)]


def machines(client: Client) -> list[dict[str, Any]]:
    """The full configuration of every machine."""
    return list(client.call("list", True)["vmList"])


def find(client: Client, wanted: str) -> dict[str, Any]:
    """The full configuration of the one machine that is meant."""
    known = machines(client)
    exact = [one for one in known if wanted in (one["vmId"], one.get("vmName"))]
    found = exact or [one for one in known if one["vmId"].startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Problem(f"No machine is called {wanted}.", "`virgate vm list` shows those there are.")
    ids = ", ".join(f"{one['vmId']} ({one['status']})" for one in found)
    raise Problem(f"{wanted} may be any of {ids}.", "Give the beginning of the id instead.")


def wait_until_started(client: Client, vm: str, name: str) -> str:
    """The status of a machine that runs; raises with the reason when it did not start."""

    def settled() -> dict[str, Any] | None:
        status = _short(client, vm)["status"]
        return None if status == STARTING else _full(client, vm)

    try:
        found = ask_until(settled)
    except KeyboardInterrupt:
        raise Stopped(f"{name} goes on starting.", "`virgate vm list` shows how it does.", vmId=vm) from None
    if found["status"] == DOWN:
        raise Problem(
            f"{name} did not start: {found.get('exitMessage') or 'no reason was given'}",
            f"`virgate vm destroy {vm[:8]}` takes it from the list; the daemon's log says more.",
            vmId=vm,
            exitReason=found.get("exitReason"),
        )
    return str(found["status"])


def wait_until_down(client: Client, vm: str, name: str) -> dict[str, Any]:
    """The machine once it is Down: with why it ended."""
    try:
        return ask_until(lambda: _full(client, vm) if _short(client, vm)["status"] == DOWN else None)
    except KeyboardInterrupt:
        hint = "`virgate vm list` shows how it does, `virgate vm destroy` powers it off."
        raise Stopped(f"{name} has been asked and is not down yet.", hint, vmId=vm) from None


def _full(client: Client, vm: str) -> dict[str, Any]:
    return dict(client.call("list", True, [vm])["vmList"][0])


def _short(client: Client, vm: str) -> dict[str, Any]:
    found = client.call("list", False, [vm])["vmList"]
    if not found:
        raise Problem(f"The machine {vm} is gone: somebody else destroyed it.", vmId=vm)
    return dict(found[0])
