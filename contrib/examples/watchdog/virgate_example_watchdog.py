"""Gives every machine that starts without a watchdog device one, so that a hung guest is reset.

The action is a setting of the plugin's own:

    [example_watchdog]
    action = "reset"
"""

from typing import Literal

from lxml import etree

from virgate import hookimpl
from virgate.config import Settings, option, section
from virgate.hookspecs.documents import XmlDocument

virgate_api = 1


@section("example_watchdog")
class WatchdogSettings:
    """The example plugin that gives machines a watchdog."""

    action: Literal["reset", "poweroff", "pause", "none"] = option("reset", "What happens when the guest hangs.")


class _Plugin:
    """What was read last; a plugin is a module, so its state is kept in one object of it."""

    settings = WatchdogSettings()


@hookimpl
def settings_loaded(settings: Settings) -> None:
    _Plugin.settings = settings[WatchdogSettings]


@hookimpl(tryfirst=True)
def before_vm_start(domain: XmlDocument) -> None:
    """Comes before the scripts, so that a script of the administrator sees and may change the device."""
    devices = domain.tree.find("devices")
    if devices is not None and devices.find("watchdog") is None:
        etree.SubElement(devices, "watchdog", model="i6300esb", action=_Plugin.settings.action)
