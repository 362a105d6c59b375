"""Settings of this room."""

import os
from typing import Literal

from attrs.validators import ge

from virgate.config import option, section


@section("libvirt")
class LibvirtSettings:
    """The hypervisor's daemon, which runs the guests."""

    uri: str = option(lambda: "qemu:///system" if os.geteuid() == 0 else "qemu:///session", "Where libvirt is reached.")
    virt_type: Literal["auto", "kvm", "qemu"] = option(
        "auto", "kvm uses the processor's virtualization, qemu emulates; auto takes kvm where it really works."
    )
    threads: int = option(8, "Calls to libvirt at the same time; others wait.", ge(1))
