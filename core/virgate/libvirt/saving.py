"""Guests saved to a file and started from one, by the domain's id. Everything raises as `domains.py` says.

A save goes on when the daemon that asked for it dies: libvirt ends it by itself.
"""

import libvirt

from virgate.libvirt.domains import Domains


async def save(domains: Domains, uuid: str, path: str) -> None:
    """Writes the guest's memory over the file and ends the guest. Fails with a guest that is as it was."""
    await domains.on(uuid, lambda domain: domain.save(path))


async def cancel(domains: Domains, uuid: str) -> None:
    """Stops a save in progress; the save then fails."""
    await domains.on(uuid, lambda domain: domain.abortJob(), beside=True)


async def saved_document(domains: Domains, path: str) -> str:
    """The domain document in a file that a guest was saved to, without passwords."""
    return str(await domains.ask(lambda connection: connection.saveImageGetXMLDesc(path, 0)))


async def restore(domains: Domains, uuid: str, path: str, xml: str) -> None:
    """Starts a defined domain with the memory in the file and this document; its CPUs stand still."""
    flags = libvirt.VIR_DOMAIN_SAVE_PAUSED
    await domains.ask(lambda connection: connection.restoreFlags(path, xml, flags), uuid)


async def set_time(domains: Domains, uuid: str, seconds: float) -> None:
    """Tells the guest the time, in seconds since the epoch, through QEMU's guest agent."""
    whole = int(seconds)
    moment = {"seconds": whole, "nseconds": int((seconds - whole) * 1e9)}
    await domains.on(uuid, lambda domain: domain.setTime(moment), beside=True)
