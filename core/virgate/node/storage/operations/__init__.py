"""What the helper process of a mount does: plain blocking functions, each one round trip.

A helper runs them one after the other, so two calls for one mount never interleave. Paths are strings, answers are
what msgpack can carry. `OSError` reaches the caller with its number and file name. Bytes are made and read by
`formats/` in the daemon; nothing here knows what a file means. Start with `files.py`.
"""

from collections.abc import Callable
from typing import Any

from virgate.node.storage.operations import blocks, data, devices, disks, domains, files, folders, groups, volumes
from virgate.node.tasks import folders as task_folders

OPERATIONS: dict[str, Callable[..., Any]] = {
    **task_folders.OPERATIONS,
    **{
        function.__name__: function
        for room in (files, folders, domains, volumes, data, blocks, devices, disks, groups)
        for function in room.OPERATIONS
    },
}
