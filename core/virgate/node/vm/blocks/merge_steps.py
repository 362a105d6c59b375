"""What comes next for a merge, told from what can be seen alone: a new daemon knows it as well as the old one. Pure."""

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from virgate.libvirt.blocks import BlockJob
    from virgate.node.vm.blocks.chain import Chain
    from virgate.node.vm.blocks.kept import Merge

COMMITS = ("commit", "active_commit")


class Step(Enum):
    """In the order of a merge that goes well."""

    WAIT = "wait"
    """The hypervisor is at work, or does not say how things stand."""
    PIVOT = "pivot"
    """Base and top are alike: storage hears that the top is no leaf any more, then the disk goes on in the base."""
    SETTLE = "settle"
    """The chain has lost the merged volumes: storage hears of it."""
    GIVE_UP = "give up"
    """Nothing works on the disk and its chain is what it was: never begun, aborted, or failed."""
    FORGET = "forget"
    """The disk is another one now, or gone."""


def next_step(merge: "Merge", chain: "Chain | None", job: "BlockJob | None") -> Step:
    if chain is None:
        return Step.FORGET
    if job is not None and job.kind in COMMITS:
        mirror = chain.mirror
        return Step.PIVOT if mirror is not None and mirror.ready == "yes" else Step.WAIT
    if any(volume in chain.volumes for volume in merge.gone):
        return Step.GIVE_UP
    if merge.base in chain.volumes:
        return Step.SETTLE
    return Step.FORGET if chain.whole else Step.WAIT
