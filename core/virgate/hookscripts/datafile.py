"""The file through which the scripts of one event see and change the document. It lies on the local disk."""

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from types import TracebackType
from typing import Self

LIMIT = 64 << 20
"""A document above this many bytes is a defect of the script that wrote it."""


class Damaged(Exception):
    """What the scripts left is not a document; says why in words that follow "left"."""


class DataFile:
    """Made with mode 0600 in the system's folder for temporary files; gone when the block is left.

    Raises OSError when it cannot be made or written.
    """

    def __init__(self, content: bytes) -> None:
        descriptor, self.path = tempfile.mkstemp(prefix="virgate-hook-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except BaseException:
            self.remove()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, where: TracebackType | None
    ) -> None:
        self.remove()

    def read(self) -> str:
        """What lies at the path now, which may be another file by the same name. Raises Damaged."""
        try:
            return self._bytes().decode("utf-8")
        except UnicodeDecodeError:
            raise Damaged("a document that is not UTF-8") from None
        except OSError as problem:
            reason = "no document" if isinstance(problem, FileNotFoundError) else f"no readable document ({problem})"
            raise Damaged(reason) from None

    def _bytes(self) -> bytes:
        # A script may have put anything there: O_NONBLOCK keeps a pipe without a writer from holding us up.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise Damaged("something that is not a regular file instead of the document")
            if found.st_size > LIMIT:
                raise Damaged(f"a document of {found.st_size} bytes, more than {LIMIT}")
            return file.read(LIMIT)

    def remove(self) -> None:
        try:
            os.unlink(self.path)  # noqa: PTH108
        except IsADirectoryError:
            shutil.rmtree(self.path, ignore_errors=True)
        except OSError:
            with suppress(OSError):
                os.rmdir(self.path)  # noqa: PTH106
