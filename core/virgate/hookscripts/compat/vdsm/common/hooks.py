# mypy: ignore-errors
# ruff: noqa
"""The launch flags of a machine that is being started (spec hooks 2.7): 1 starts it paused, further bits as libvirt's."""

import errno
import os

from vdsm.constants import P_VDSM_RUN


def _path(vm_id):
    return os.path.join(P_VDSM_RUN, vm_id, "launchflags")


def load_vm_launch_flags_from_file(vm_id):
    """The flags, 0 if there is no file; ValueError for anything but an integer in its first line."""
    try:
        with open(_path(vm_id)) as source:
            return int(source.readline())
    except IOError as problem:
        if problem.errno == errno.ENOENT:
            return 0
        raise


def dump_vm_launch_flags_to_file(vm_id, flags):
    """Leaves the flags for the start that is under way."""
    path = _path(vm_id)
    try:
        os.makedirs(os.path.dirname(path))
    except OSError:
        pass  # opening the file tells what is wrong
    with open(path, "w") as target:
        target.write(str(flags))
