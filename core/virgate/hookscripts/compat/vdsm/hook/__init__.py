# mypy: ignore-errors
# ruff: noqa
"""`from vdsm.hook import hooking` is the very module that `import hooking` gives."""

from __future__ import absolute_import

import sys

import hooking

sys.modules[__name__ + ".hooking"] = hooking
