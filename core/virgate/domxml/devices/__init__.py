"""One module per device or family of devices: a conf struct of spec xmlrpc-host-vm 3.4 in, elements out, and back.

`BUILDERS` names each type's builder; its order is the order of the groups in `<devices>` and of the device hooks.
`READERS` names, by the element's tag, what tells the struct that building would make the element from.
"""

from virgate.domxml.devices import channel, console, disk, graphics, hostdev, interface, lease, rng, simple
from virgate.domxml.devices.context import Builder, Context, Reader
from virgate.domxml.hooked import HookedDevice, hooked_devices

BUILDERS: dict[str, Builder] = {
    "disk": disk.build,
    "interface": interface.build,
    "sound": simple.sound,
    "video": simple.video,
    "graphics": graphics.build,
    "controller": simple.controller,
    "balloon": simple.balloon,
    "channel": channel.build,
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

READERS: dict[str, Reader] = {
    "disk": disk.read,
    "interface": interface.read,
    "sound": simple.read_sound,
    "video": simple.read_video,
    "graphics": graphics.read,
    "controller": simple.read_controller,
    "memballoon": simple.read_balloon,
    "channel": channel.read,
    "watchdog": simple.read_watchdog,
    "smartcard": simple.read_smartcard,
    "console": console.read,
    "redirdev": simple.read_redirection,
    "rng": rng.read_rng,
    "tpm": rng.read_tpm,
    "hostdev": hostdev.read,
    "memory": simple.read_memory,
    "lease": lease.read,
}

__all__ = ["BUILDERS", "READERS", "Builder", "Context", "HookedDevice", "Reader", "hooked_devices"]
