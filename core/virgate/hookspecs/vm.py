"""The life of a virtual machine on one host. Devices and migration have modules of their own.

Arguments that come again and again: `vm` is the machine (its id and its custom properties, which scripts find in
their environment); `domain` is libvirt's domain XML.
"""

from virgate.hookspecs.documents import Subject, XmlDocument
from virgate.hookspecs.point import Failure, point


@point(Failure.ABORT, scripts=True, changes=True)
def before_vm_start(vm: Subject, domain: XmlDocument) -> None:
    """A machine is about to be started.

    Fired when its domain XML is complete and every `before_device_create` has run, just before libvirt gets it. What
    is left in `domain` is what libvirt gets, to the letter. Also fired when a machine wakes up from storage; then
    the changes are dropped, because libvirt uses the saved definition.

    Raising aborts: the machine goes down with the error as its exit message. `domain` then still holds what was
    changed so far, so that cleaning up can work on it.
    """


@point(Failure.LOG, scripts=True)
def after_vm_start(vm: Subject, domain: XmlDocument) -> None:
    """A machine was started.

    Fired when libvirt has created it. `domain` is libvirt's live XML; changing it has no effect. The starting flow
    waits, but verbs for the machine are answered: a script may for example resume it. Raising is logged.
    """


@point(Failure.ABORT, scripts=True)
def before_vm_cont(vm: Subject, domain: XmlDocument) -> None:
    """A paused machine is about to go on.

    Fired before every resume, whoever asked for it. `domain` is the live XML; changing it has no effect. Raising
    aborts: the machine stays paused and the caller gets the error.
    """


@point(Failure.LOG, scripts=True, event=True)
def after_vm_cont(vm: Subject, domain: XmlDocument) -> None:
    """A machine went on.

    Fired by libvirt's event "resumed, unpaused", so also when somebody else resumed it. `domain` is the live XML;
    changing it has no effect. Nobody waits for it. Raising is logged.
    """


@point(Failure.ABORT, scripts=True)
def before_vm_pause(vm: Subject, domain: XmlDocument) -> None:
    """A machine is about to be paused.

    Fired before libvirt suspends it: by the verb, and by the pause that precedes hibernation. `domain` is the live
    XML; changing it has no effect. Raising aborts: the machine keeps running and the caller gets the error.
    """


@point(Failure.LOG, scripts=True, event=True)
def after_vm_pause(vm: Subject, domain: XmlDocument) -> None:
    """A machine was paused.

    Fired by libvirt's event "suspended" with the detail paused or I/O error. `domain` is the live XML; changing it
    has no effect. Nobody waits for it. Raising is logged.
    """


@point(Failure.ABORT, scripts=True)
def before_vm_hibernate(vm: Subject, domain: XmlDocument) -> None:
    """A machine is about to be saved to storage.

    Fired when it is paused already (`before_vm_pause` has run) and before libvirt saves it. `domain` is the live XML;
    changing it has no effect. Raising aborts: nothing is saved and the machine goes on.
    """


@point(Failure.LOG, scripts=True, event=True)
def after_vm_hibernate(vm: Subject, domain: XmlDocument) -> None:
    """A machine was saved to storage and is gone from the host.

    Fired by libvirt's event "stopped, saved". `domain` is the last XML that was known; changing it has no effect.
    Nobody waits for it. Raising is logged.
    """


@point(Failure.ABORT, scripts=True)
def before_vm_dehibernate(vm: Subject, domain: XmlDocument, from_snapshot: bool) -> None:
    """A machine is about to wake up from storage.

    Fired before libvirt restores it. `domain` is the saved XML; changing it has no effect. `from_snapshot` tells a
    snapshot's memory from a hibernation; scripts read it as FROM_SNAPSHOT, `True` or `False`.

    Raising aborts: the machine goes down, the error behind "Wake up from hibernation failed:".
    """


@point(Failure.LOG, scripts=True)
def after_vm_dehibernate(vm: Subject, domain: XmlDocument, from_snapshot: bool) -> None:
    """A machine woke up from storage and goes on.

    Fired after the restore and the resume. `domain` is the live XML; changing it has no effect. `from_snapshot` as in
    `before_vm_dehibernate`. Raising is logged.
    """


@point(Failure.LOG, scripts=True)
def before_vm_destroy(vm: Subject) -> None:
    """A machine is about to be destroyed.

    Fired at the start of the destroy verb, after every `before_device_destroy`; not when a guest ends by itself.
    There is no document: scripts find an empty file. Raising is logged, the machine is destroyed all the same.
    """


@point(Failure.LOG, scripts=True)
def after_vm_destroy(vm: Subject, domain: XmlDocument) -> None:
    """A machine has ended and its resources are free again.

    Fired exactly once per machine: by the destroy verb, or as soon as the guest shut down or crashed (a later destroy
    of the dead machine fires only the "before" points). `domain` is the last XML that was known; changing it has no
    effect. Raising is logged.
    """


@point(Failure.LOG, scripts=True)
def before_vm_set_ticket(vm: Subject, domain: XmlDocument, params: dict[str, str]) -> None:
    """The password of a machine's graphical console is about to change.

    `domain` is the last XML that was known, without the new password; changing it has no effect. `params` are the
    words the client sent along (`userName`, `userId`, ...); scripts find each in their environment. Raising is logged.
    """


@point(Failure.LOG, scripts=True)
def after_vm_set_ticket(vm: Subject, domain: XmlDocument, params: dict[str, str]) -> None:
    """The password of a machine's graphical console was changed.

    Fired only when libvirt took it. Arguments as in `before_vm_set_ticket`. Raising is logged.
    """


@point(Failure.ABORT, scripts=True)
def before_set_num_of_cpus() -> None:
    """The number of a running machine's CPUs is about to change.

    The contract of this point carries nothing: no machine, no count, and scripts find an empty file. Raising aborts:
    the number stays and the caller gets the error.
    """


@point(Failure.LOG, scripts=True)
def after_set_num_of_cpus() -> None:
    """The number of a running machine's CPUs was changed.

    Fired when libvirt has done it. Carries nothing, like `before_set_num_of_cpus`. Raising is logged.
    """
