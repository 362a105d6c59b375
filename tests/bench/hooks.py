"""What a hook script costs over the bare process, and a point whose implementations are all plugins."""

import os
import time
from collections.abc import Coroutine
from pathlib import Path
from types import ModuleType
from typing import Any

from figures import Figure
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from virgate import hookimpl, hookspecs
from virgate.hookscripts import HookSettings, Runner
from virgate.hookspecs.documents import Subject, XmlDocument
from virgate.plugins import Hooks

SCRIPTS, ROUNDS = 10, 30


def script_against_bare_process(folder: Path) -> list[Figure]:
    """Ten scripts of one point; the bare side starts the same ten one after the other."""
    place = folder / "before_vm_start"
    place.mkdir()
    for number in range(SCRIPTS):
        (place / f"{number:02d}_none").write_text("#!/bin/true\n")
        (place / f"{number:02d}_none").chmod(0o755)
    runner = Runner(HookSettings(directories=[folder]), folder)
    ours, theirs = [], []

    async def measure() -> None:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            await runner.run("before_vm_start", Subject("x"), XmlDocument("<domain/>"), {})
            ours.append((time.perf_counter() - started) / SCRIPTS)
            started = time.perf_counter()
            for path in sorted(place.iterdir()):
                bare(str(path))
            theirs.append((time.perf_counter() - started) / SCRIPTS)

    run(measure())
    a, b = sorted(ours)[ROUNDS // 2], sorted(theirs)[ROUNDS // 2]
    return [Figure("one hook script against bare fork+exec", a * 1000, "ms", "at most +1 ms", b * 1000)]


def bare(path: str) -> None:
    """The cheapest way there is: posix_spawn does not copy the caller's page tables as a plain fork does."""
    os.waitpid(os.posix_spawn(path, [path], os.environ), 0)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs the reactor until the work has ended. The reactor runs once per process, so this bench has its own."""
    failed: list[Any] = []
    there: Any = reactor
    there.callWhenRunning(
        lambda: Deferred.fromCoroutine(work).addErrback(failed.append).addBoth(lambda _: there.stop())
    )
    there.run(installSignalHandlers=False)
    if failed:
        failed[0].raiseException()


def point_with_ten_plugins(folder: Path) -> list[Figure]:
    hooks = Hooks(*hookspecs.modules())
    for number in range(10):
        plugin = ModuleType(f"plugin{number}")
        plugin.before_vm_start = hookimpl(lambda vm, domain: None)  # type: ignore[attr-defined]
        hooks.register(plugin, plugin.__name__)
    subject, document = Subject("x"), XmlDocument("<domain/>")
    calls = 20000
    started = time.perf_counter()
    for _ in range(calls):
        try:
            hooks.before_vm_start(vm=subject, domain=document).send(None)
        except StopIteration:
            pass
    each = (time.perf_counter() - started) / calls
    return [Figure("hook point with ten plugins, none a script", each * 1e6, "us", "under 15 us")]
