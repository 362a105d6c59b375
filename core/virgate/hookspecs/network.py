"""The networks of the host.

`data` is `{"request": {"networks": {NAME: ATTRIBUTES}, "bondings": {NAME: ATTRIBUTES}, "options": {...}}}`. A
network's custom properties are in its attributes under `custom`, not in a script's environment.
"""

from virgate.hookspecs.documents import JsonDocument
from virgate.hookspecs.point import Failure, point


@point(Failure.ABORT, scripts=True, changes=True)
def before_network_setup(data: JsonDocument) -> None:
    """The networks of the host are about to change.

    Fired when the request is checked and before anything is applied, also at the restoration after a boot and at a
    rollback (`options` then holds `_inRollback`). The networks, bondings and options left in `data` are applied.

    Raising aborts: nothing is applied and the caller gets code 78, "Hook error: " before the error's text.
    """


@point(Failure.LOG, scripts=True)
def after_network_setup(data: JsonDocument) -> None:
    """The networks were changed.

    `data` is the request as it was applied; changing it has no effect. Raising is logged.
    """


@point(Failure.LOG, scripts=True)
def after_network_setup_fail(data: JsonDocument) -> None:
    """The networks were not changed, whatever the reason; a hook that refused is one.

    `data` is the request before any hook changed it; changing it has no effect. Raising is logged.
    """


@point(Failure.ABORT, scripts=True, changes=True)
def before_ifcfg_write(data: JsonDocument) -> None:
    """A file with an interface's configuration is about to be written.

    `data` is `{"name", "ifcfg_file", "config"}`: the interface, the path and the whole text; path and text left in it
    are used. Fired only by network plugins that keep such files. Raising aborts the change of the networks.
    """


@point(Failure.LOG, scripts=True)
def after_ifcfg_write(data: JsonDocument) -> None:
    """A file with an interface's configuration was written.

    `data` is what was used, as in `before_ifcfg_write`; changing it has no effect. Raising is logged.
    """
