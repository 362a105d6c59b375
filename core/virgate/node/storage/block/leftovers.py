"""Devices of volumes whose group is gone: another host formatted the domain, or its disks were taken away.

LVM does not know such a group any more and cannot deactivate it. The devices it left would be taken for active volumes
when a group of the same name comes back, and they keep the disks below from going.
"""

from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.run.process import run

LIST = ("dmsetup", "info", "-c", "--noheadings", "--separator", "|", "-o", "name,uuid,open")
PATIENCE = 30.0

log = Logger()


def of_group(listing: str, group: str) -> dict[str, bool]:
    """The names that device mapper has for volumes of exactly that group, and whether they are open. Pure.

    A dash in a name of LVM is doubled, so after a single one only the name of a volume can follow.
    """
    first = f"{group.replace('-', '--')}-"
    found = {}
    for line in listing.splitlines():
        name, _, rest = line.strip().partition("|")
        uuid, _, opened = rest.partition("|")
        if name.startswith(first) and name[len(first) : len(first) + 1] not in ("", "-") and uuid.startswith("LVM-"):
            found[name] = opened.strip() != "0"
    return found


async def remove(group: str) -> list[str]:
    """Removes what is not open of them; answers the names of those that stay."""
    try:
        told = await run(LIST, timeout=PATIENCE)
        found = of_group(told.stdout.decode(errors="replace"), group) if told.code == 0 else {}
        stay = sorted(name for name, opened in found.items() if opened)
        for name in sorted(found.keys() - set(stay)):
            gone = await run(["dmsetup", "remove", "--", name], timeout=PATIENCE)
            if gone.code:
                said = gone.stderr.decode(errors="replace").strip()
                log.warn("{name} is not removed: {said}", name=name, said=said)
                stay.append(name)
    except VirgateError as problem:
        log.warn("what is left of {group} stays: {problem}", group=group, problem=problem)
        return []
    if stay:
        log.warn("{group} is gone, and still open here are {stay}", group=group, stay=", ".join(stay))
    return stay
