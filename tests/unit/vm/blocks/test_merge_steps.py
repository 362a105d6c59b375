"""What comes next for a merge, for everything that can be seen."""

import pytest
from unit.vm.blocks.conftest import BASE, FOLDER, MIDDLE, NEW, TOP, disk_xml

from virgate.domxml import tree
from virgate.libvirt.blocks import BlockJob
from virgate.node.vm.blocks import chain
from virgate.node.vm.blocks.kept import Merge
from virgate.node.vm.blocks.merge_steps import Step, next_step

MERGE = Merge("j", "vda", "d", "i", BASE, TOP, (MIDDLE, TOP))


def see(*volumes, ready=None):
    mirror = (
        "" if ready is None else f"<mirror job='active-commit' ready='{ready}'><source file='{FOLDER}/b'/></mirror>"
    )
    text = disk_xml(volumes, mirror=mirror)
    return chain.read(tree.parse(f"<domain><devices>{text}</devices></domain>"))["vda"]


COMMIT, ACTIVE, COPY = (BlockJob(kind, 0, 1, 2) for kind in ("commit", "active_commit", "copy"))
WHOLE = (BASE, MIDDLE, TOP)


@pytest.mark.parametrize(
    ("seen", "job", "step"),
    [
        (see(*WHOLE, NEW), COMMIT, Step.WAIT),
        (see(*WHOLE), ACTIVE, Step.WAIT),
        (see(*WHOLE, ready=""), ACTIVE, Step.WAIT),
        (see(*WHOLE, ready="yes"), ACTIVE, Step.PIVOT),
        (see(*WHOLE, ready="pivot"), ACTIVE, Step.WAIT),
        (see(*WHOLE, ready="abort"), ACTIVE, Step.WAIT),
        (see(*WHOLE), None, Step.GIVE_UP),
        (see(BASE, TOP), None, Step.GIVE_UP),
        (see(*WHOLE), COPY, Step.GIVE_UP),
        (see(BASE, NEW), None, Step.SETTLE),
        (see(BASE), None, Step.SETTLE),
        (see(BASE), COPY, Step.SETTLE),
        (see(NEW), None, Step.FORGET),
        (None, None, Step.FORGET),
        (None, COMMIT, Step.FORGET),
    ],
)
def test_the_next_step_follows_from_what_is_seen(seen, job, step):
    assert next_step(MERGE, seen, job) is step


def test_a_chain_that_is_not_told_whole_is_waited_for():
    text = disk_xml([NEW]).replace("<backingStore/>", "")
    found = chain.read(tree.parse(f"<domain><devices>{text}</devices></domain>"))["vda"]
    assert next_step(MERGE, found, None) is Step.WAIT
