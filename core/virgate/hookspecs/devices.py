"""Devices: made with their machine, plugged and unplugged while it runs, changed in place; and disks made ready.

`device` is the XML of the one device (root `interface`, `disk`, `memory`, ...) and `device.custom` its custom
properties, which scripts find in their environment. Where a point may change it, later points get the changed text.
"""

from virgate.hookspecs.documents import JsonDocument, Subject, XmlDocument
from virgate.hookspecs.point import Failure, point


@point(Failure.ABORT, scripts=True, changes=True)
def after_disk_prepare(vm: Subject, data: JsonDocument) -> None:
    """The image behind a disk was made ready.

    Fired per disk that lies on a storage domain, before any point with XML: on start, restore, recovery and incoming
    migration, not on hot-plug. `data` is the drive as a mapping; `path`, `format` and `diskType` left in it are used.
    The disk's custom properties are in the mapping, not in a script's environment.

    Raising aborts, despite the name: the machine goes down.
    """


@point(Failure.ABORT, scripts=True, changes=True)
def before_device_create(vm: Subject, device: XmlDocument) -> None:
    """A device with custom properties is about to become part of a machine that starts.

    Fired once per such device, in the order of the domain XML, before `before_vm_start`. What is left in `device`
    takes the element's place. Raising aborts: the machine goes down.
    """


@point(Failure.LOG, scripts=True)
def after_device_create(vm: Subject, device: XmlDocument) -> None:
    """A machine with this device was started.

    Fired once per device with custom properties, after `after_vm_start`. Changing `device` has no effect. Raising is
    logged.
    """


@point(Failure.ABORT, scripts=True)
def before_device_destroy(vm: Subject, device: XmlDocument) -> None:
    """A machine with this device is about to be destroyed.

    Fired once per device with custom properties, first of all in the destroy verb. Changing `device` has no effect.
    Raising aborts: **the machine is
    not destroyed** and the caller gets the error.
    """


@point(Failure.LOG, scripts=True)
def after_device_destroy(vm: Subject, device: XmlDocument) -> None:
    """A machine with this device has ended.

    Fired once per device with custom properties, after `after_vm_destroy`. Changing `device` has no effect. Raising
    is logged.
    """


@point(Failure.ABORT, scripts=True, changes=True)
def before_nic_hotplug(vm: Subject, device: XmlDocument) -> None:
    """A network interface is about to be plugged into a running machine.

    Fired before libvirt is asked. What is left in `device` is what libvirt attaches. Raising aborts: nothing is
    attached and the caller gets the error.
    """


@point(Failure.LOG, scripts=True)
def after_nic_hotplug(vm: Subject, device: XmlDocument) -> None:
    """A network interface was plugged in.

    Fired when libvirt has attached it and before port mirroring is set. `device` is the text that was attached;
    changing it has no effect. Raising is logged.
    """


@point(Failure.LOG, scripts=True)
def after_nic_hotplug_fail(vm: Subject, device: XmlDocument) -> None:
    """A network interface was not plugged in.

    Fired when libvirt refused it, not when a hook did: the moment to undo what `before_nic_hotplug` did. `device` is
    the text that was refused; changing it has no effect. Raising is logged.
    """


@point(Failure.ABORT, scripts=True)
def before_nic_hotunplug(vm: Subject, device: XmlDocument) -> None:
    """A network interface is about to be unplugged.

    Fired when port mirroring has been taken off already. Changing `device` has no effect. Raising aborts: the
    interface stays and the caller gets the error.
    """


@point(Failure.LOG, scripts=True)
def after_nic_hotunplug(vm: Subject, device: XmlDocument) -> None:
    """A network interface was unplugged.

    Fired when the guest has let it go. Changing `device` has no effect. Raising is logged.
    """


@point(Failure.LOG, scripts=True)
def after_nic_hotunplug_fail(vm: Subject, device: XmlDocument) -> None:
    """A network interface was not unplugged.

    Fired when libvirt refused, or the guest kept it too long. Changing `device` has no effect. Raising is logged.
    """


@point(Failure.ABORT, scripts=True, changes=True)
def before_update_device(vm: Subject, device: XmlDocument) -> None:
    """A network interface of a running machine is about to be changed.

    `device` has the new bridge, link state, MTU and bandwidth in it; what is left in it is what libvirt gets.
    `device.custom` are the properties of the request, not the stored ones. Raising aborts: link and network are set
    back and the caller gets the error of the update.
    """


@point(Failure.LOG, scripts=True)
def after_update_device(vm: Subject, device: XmlDocument) -> None:
    """A network interface was changed.

    Fired when libvirt took it. `device` is the text it took; changing it has no effect. Raising is logged.
    """


@point(Failure.LOG, scripts=True)
def after_update_device_fail(vm: Subject, device: XmlDocument) -> None:
    """A network interface was not changed.

    Fired when libvirt refused, and also when `before_update_device` did. Changing `device` has no effect. Raising is
    logged.
    """


@point(Failure.ABORT, scripts=True, changes=True)
def before_disk_hotplug(vm: Subject, device: XmlDocument) -> None:
    """A disk is about to be plugged into a running machine.

    Fired when its volume is prepared. What is left in `device` is what libvirt attaches. Raising aborts: the volume
    is torn down again and the caller gets the error.
    """


@point(Failure.LOG, scripts=True)
def after_disk_hotplug(vm: Subject, device: XmlDocument) -> None:
    """A disk was plugged in.

    Fired when libvirt has attached it. `device` is the text that was attached; changing it has no effect. Raising is
    logged.
    """


@point(Failure.ABORT, scripts=True)
def before_disk_hotunplug(vm: Subject, device: XmlDocument) -> None:
    """A disk is about to be unplugged.

    Fired before libvirt is asked. Changing `device` has no effect. Raising aborts: the disk stays and the caller gets
    the error.
    """


@point(Failure.LOG, scripts=True)
def after_disk_hotunplug(vm: Subject, device: XmlDocument) -> None:
    """A disk was unplugged.

    Fired when the guest has let it go and before its volume is torn down. Changing `device` has no effect. Raising
    is logged.
    """


@point(Failure.ABORT, scripts=True, changes=True)
def before_memory_hotplug(vm: Subject, device: XmlDocument) -> None:
    """Memory is about to be plugged into a running machine.

    Fired before libvirt is asked. What is left in `device` is what libvirt attaches; memory has no custom
    properties. Raising aborts: no memory is added and the caller gets the error.
    """


@point(Failure.LOG, scripts=True)
def after_memory_hotplug(vm: Subject, device: XmlDocument) -> None:
    """Memory was plugged in.

    Fired when libvirt has attached it. `device` is the text that was attached; changing it has no effect. Raising is
    logged.
    """
