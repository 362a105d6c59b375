"""Drop-in scripts: serves every hook point that scripts may take part in, by running what lies in its folder.

The implementations are made from the points' declarations. They are tried last, so scripts see what other plugins
changed, and the text that the last script left is what goes on.
"""

from typing import TYPE_CHECKING

from virgate import hookimpl, hookspecs
from virgate.config.daemon import DaemonSettings
from virgate.hookscripts import HookSettings, Runner
from virgate.hookscripts.serving import Service

if TYPE_CHECKING:
    from virgate.config import Settings

service = Service(Runner())


@hookimpl
def settings_loaded(settings: "Settings") -> None:
    """Takes over directories and timeout; events under way end by the settings they began with."""
    service.runner = Runner(settings[HookSettings], settings[DaemonSettings].run_dir)


globals().update(
    {name: hookimpl(function, trylast=True) for name, function in service.implementations(hookspecs.modules())}
)
