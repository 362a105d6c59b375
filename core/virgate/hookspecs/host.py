"""The daemon itself, and what it reports about the host and its machines.

The points around a report fire on each request. A manager polls every few seconds: a script here costs a process
each time.
"""

from typing import TYPE_CHECKING

from virgate.hookspecs.documents import JsonDocument
from virgate.hookspecs.point import Failure, point

if TYPE_CHECKING:
    from virgate.config import Settings


@point(Failure.LOG)
def settings_loaded(settings: "Settings") -> None:
    """The settings were read.

    Fired before every other point when the daemon starts, and again whenever it reads its settings anew. Index
    `settings` by a section's class. A plugin that reads settings of its own does it here. Raising is logged.
    """


@point(Failure.LOG, scripts=True)
def before_vdsm_start() -> None:
    """The daemon starts.

    Fired when its folders and its log exist, before it looks at machines, storage or networks. The name is the old
    one, for the scripts' sake. Raising is logged, the daemon starts all the same.
    """


@point(Failure.LOG, scripts=True)
def after_vdsm_stop() -> None:
    """The daemon stops.

    Fired at the end of its shutdown, when it answers nobody any more; machines keep running. Raising is logged.
    """


@point(Failure.ABORT, scripts=True)
def before_get_vm_stats(data: JsonDocument) -> None:
    """The statistics of one machine are about to be collected.

    Fired when the machine is known to exist. `data` is empty. Raising aborts: the caller gets code 78, "Hook error: "
    before the error's text.
    """


@point(Failure.LOG, scripts=True, changes=True)
def after_get_vm_stats(data: JsonDocument) -> None:
    """The statistics of one machine were collected.

    `data` is a list with exactly one map; that map, as it is left, is the answer. Raising is logged.
    """


@point(Failure.ABORT, scripts=True)
def before_get_all_vm_stats(data: JsonDocument) -> None:
    """The statistics of all machines are about to be collected.

    The points of single machines do not fire as well. `data` is empty and changing it has no effect. Raising aborts:
    the caller gets the error, code 1500.
    """


@point(Failure.LOG, scripts=True, changes=True)
def after_get_all_vm_stats(data: JsonDocument) -> None:
    """The statistics of all machines were collected.

    `data` is a list of maps, the answer as left. Raising is logged.
    """


@point(Failure.ABORT, scripts=True)
def before_get_caps(data: JsonDocument) -> None:
    """The capabilities of the host are about to be collected.

    `data` is empty and changing it has no effect. Raising aborts: the caller gets the error, code 1500.
    """


@point(Failure.LOG, scripts=True, changes=True)
def after_get_caps(data: JsonDocument) -> None:
    """The capabilities of the host were collected.

    Fired when the list of installed scripts (`hooks`) is in, too. `data` is the whole map, the answer as left.
    Raising is logged.
    """


@point(Failure.ABORT, scripts=True)
def before_get_stats(data: JsonDocument) -> None:
    """The statistics of the host are about to be collected.

    `data` is empty and changing it has no effect. Raising aborts: the caller gets the error, code 1500.
    """


@point(Failure.LOG, scripts=True, changes=True)
def after_get_stats(data: JsonDocument) -> None:
    """The statistics of the host were collected.

    `data` is the whole map, the answer as left. Raising is logged.
    """


@point(Failure.LOG, scripts=True, changes=True)
def after_hostdev_list_by_caps(data: JsonDocument) -> None:
    """The devices of the host were listed.

    `data` is `{NAME: {"params": {...}}}`, the answer as left. Raising is logged.
    """
