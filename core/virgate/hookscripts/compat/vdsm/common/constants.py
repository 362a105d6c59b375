# mypy: ignore-errors
# ruff: noqa
from vdsm.constants import P_VDSM_HOOKS, P_VDSM_RUN, SYSCONF_PATH
