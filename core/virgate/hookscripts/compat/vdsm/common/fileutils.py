# mypy: ignore-errors
# ruff: noqa
"""Small file operations."""

import errno
import os


def rm_file(path):
    """Removes a file; one that is not there is fine."""
    try:
        os.unlink(path)
    except OSError as problem:
        if problem.errno != errno.ENOENT:
            raise
