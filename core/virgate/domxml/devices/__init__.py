"""One module per device or family of devices: a conf struct of spec xmlrpc-host-vm 3.4 in, elements out.

`BUILDERS` names each type's builder; its order is the order of the groups in `<devices>` and of the device hooks.
"""

from virgate.domxml.devices import console, disk, graphics, hostdev, interface, lease, rng, simple
from virgate.domxml.devices.context import Builder, Context
from virgate.domxml.hooked import HookedDevice, hooked_devices

BUILDERS: dict[str, Builder] = {
    "disk": disk.build,
    "interface": interface.build,
    "sound": simple.sound,
    "video": simple.video,
    "graphics": graphics.build,
    "controller": simple.controller,
    "balloon": simple.balloon,
    "channel": simple.generic,
    "watchdog": simple.watchdog,
    "smartcard": simple.smartcard,
    "console": console.build,
    "redir": simple.redirection,
    "rng": rng.rng,
    "tpm": rng.tpm,
    "hostdev": hostdev.build,
    "memory": simple.memory,
    "lease": lease.build,
}

__all__ = ["BUILDERS", "Builder", "Context", "HookedDevice", "hooked_devices"]
