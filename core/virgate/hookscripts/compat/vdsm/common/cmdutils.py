# mypy: ignore-errors
# ruff: noqa
"""Where a program lies."""

import errno
import os


class CommandPath(object):
    """`cmd` is the first of the candidates that exists, else what PATH gives; OSError if there is none."""

    def __init__(self, name, *candidates, **options):
        self.name = name
        self.paths = candidates
        self._search = options.get("search_path", True)
        self._found = None

    @property
    def cmd(self):
        if self._found is None:
            self._found = next(self._existing(), None)
        if self._found is None:
            raise OSError(errno.ENOENT, "%s: %s" % (os.strerror(errno.ENOENT), self.name))
        return self._found

    def __str__(self):
        return str(self.cmd)

    def _existing(self):
        for path in self.paths:
            if os.path.exists(path):
                yield path
        if self._search:
            for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
                path = os.path.join(folder, self.name)
                if os.access(path, os.X_OK) and os.path.isfile(path):
                    yield path
