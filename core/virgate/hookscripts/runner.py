"""Runs the scripts of a point, one after the other, over one data file. Judges nothing: see `settle.py`."""

import errno
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.logger import Logger

from virgate.config import load, places
from virgate.hookscripts.datafile import Damaged, DataFile
from virgate.hookscripts.discovery import scripts_of
from virgate.hookscripts.environment import environment, inherited
from virgate.hookscripts.settings import HookSettings
from virgate.hookscripts.verdict import TIMED_OUT, Ended, Verdict
from virgate.hookspecs.documents import JsonDocument, Subject, XmlDocument
from virgate.run import process
from virgate.run.errors import CannotStart, TimedOut

Document = XmlDocument | JsonDocument

KEPT = 64 << 10
"""Bytes kept of what a script writes: the first and the last half of it."""

NOTHING = Verdict()


@define
class Runner:
    """Runs scripts by one set of settings. Any number of events may be under way at once."""

    settings: HookSettings = field(factory=lambda: load()[HookSettings])
    run_dir: Path = field(factory=places.run)
    log = Logger()

    def scripts(self, point: str) -> tuple[str, ...]:
        return scripts_of(point, self.settings.directories)

    async def run(
        self, point: str, subject: Subject | None, document: Document | None, params: Mapping[str, Any]
    ) -> Verdict:
        """Runs what is installed for the point now. No script: nothing is made, the verdict is empty.

        `params` go into the environment under the machine's custom properties. The document is not changed here.
        """
        return await self.run_scripts(self.scripts(point), point, subject, document, params)

    async def run_scripts(
        self,
        scripts: Sequence[str],
        point: str,
        subject: Subject | None,
        document: Document | None,
        params: Mapping[str, Any],
    ) -> Verdict:
        """As `run`, with the scripts given."""
        if not scripts:
            return NOTHING
        surroundings, left_out = environment(inherited(os.environ), subject, params, self.run_dir)
        if left_out:
            self.log.warn(
                "{names} cannot or must not be in an environment; left out in {point}", names=left_out, point=point
            )
        try:
            file = DataFile(document.text.encode("utf-8", "surrogateescape") if document else b"")
        except OSError as problem:
            return Verdict(damage=f"the data file cannot be written: {problem.strerror}")
        with file:
            surroundings["_hook_json" if isinstance(document, JsonDocument) else "_hook_domxml"] = file.path
            ended = await self._each(scripts, point, surroundings)
            try:
                return Verdict(ended, file.read())
            except Damaged as damage:
                return Verdict(ended, damage=f"the scripts left {damage}")

    async def _each(self, scripts: Sequence[str], point: str, surroundings: Mapping[str, str]) -> tuple[Ended, ...]:
        ended: list[Ended] = []
        for script in scripts:
            one = await self._one(script, surroundings)
            self._tell(one, point)
            ended.append(one)
            if one.stops:
                break
        return tuple(ended)

    async def _one(self, script: str, surroundings: Mapping[str, str]) -> Ended:
        started = time.monotonic()
        code, stderr, note = await self._execute([script], surroundings)
        return Ended(script, code, stderr, time.monotonic() - started, note)

    async def _execute(self, argv: list[str], surroundings: Mapping[str, str]) -> tuple[int, str, str]:
        """Exit code, what was said on standard error, and a note when the script did not end by itself."""
        limit = self.settings.timeout
        note = ""
        try:
            async with process.spawn(argv, env=surroundings, cwd="/", timeout=limit or None, limit=KEPT) as child:
                try:
                    code = await child.exit_code()
                except TimedOut:
                    code = TIMED_OUT
                    note = f"did not end within {limit:g} s and was killed with everything it started"
        except CannotStart as problem:
            if problem.errno == errno.ENOEXEC and len(argv) == 1:  # no "#!" line: by custom a shell's text
                return await self._execute(["/bin/sh", *argv], surroundings)
            code = 127 if problem.errno == errno.ENOENT else 126
            why = "no interpreter or no file" if code == 127 else problem.reason
            return code, "", f"cannot be run: {why}"
        return code, child.stderr.decode("utf-8", "replace").strip(), note

    def _tell(self, one: Ended, point: str) -> None:
        say = self.log.warn if one.note or one.code > 2 else self.log.info
        say(
            "hook script {script} {how}",
            script=one.script,
            how=one.how,
            point=point,
            seconds=one.seconds,
            stderr=one.stderr,
        )
