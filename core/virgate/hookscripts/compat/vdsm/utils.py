# mypy: ignore-errors
# ruff: noqa
from contextlib import closing

from vdsm.common.cmdutils import CommandPath
