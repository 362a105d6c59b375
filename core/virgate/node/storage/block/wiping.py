"""Wiping and giving back the blocks of a volume (spec storage-format 2.6)."""

from collections.abc import Callable
from pathlib import Path

from attrs import frozen
from twisted.logger import Logger

from virgate.node.storage.errors import ProgramFailed
from virgate.run.process import run

STEP = 32 << 20
"""The most that the kernel is asked to do at once: a larger piece could time out."""

PIECE = 1 << 30
"""After so much it is asked whether to go on."""


@frozen
class Wiper:
    log = Logger()

    program: str = "blkdiscard"

    async def zero(
        self, device: Path, size: int, start: int = 0, *, report: Callable[[float], None] = lambda percent: None
    ) -> None:
        """Every byte from `start` on is zero afterwards.

        `report` hears per cent before each GiB; what it raises ends the wiping.
        """
        for place in range(start, size, PIECE):
            report(100 * place / size)
            length = min(PIECE, size - place)
            await self._run("--zeroout", "--offset", str(place), "--length", str(length), str(device))

    async def discard(self, device: Path) -> None:
        """Tells thin storage that the blocks are free; storage that does not want to know is no error."""
        try:
            await self._run(str(device))
        except ProgramFailed as problem:
            self.log.info("{device} is not discarded: {problem}", device=str(device), problem=problem)

    async def _run(self, *arguments: str) -> None:
        done = await run([self.program, "--step", str(STEP), *arguments], writes=True)
        if done.code:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            raise ProgramFailed(self.program, lines[-1] if lines else f"exit code {done.code}")
