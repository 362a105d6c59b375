# mypy: ignore-errors
# ruff: noqa
"""Places, each ending in a slash where it is a folder of the daemon."""

import os
import sys

SYSCONF_PATH = "/etc"

P_VDSM_RUN = os.path.join(os.environ.get("VIRGATE_RUN_DIR", "/run/vdsm"), "")

# A script lies in <hooks>/<point>/, and its own path is all it is told about itself.
P_VDSM_HOOKS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0] or "."))), "")
