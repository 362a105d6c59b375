"""What a domain carries of work on its volumes: written, read, and not believed blindly."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.vm.blocks.conftest import now

from virgate.domxml import tree
from virgate.node.vm.blocks import kept
from virgate.node.vm.blocks.kept import Kept, Merge

words = st.text(min_size=1, max_size=8, alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")))
merges = st.builds(
    lambda id, target, domain, image, base, gone, bandwidth, chunked: Merge(
        id, target, domain, image, base, gone[-1], tuple(gone), bandwidth, chunked
    ),
    *(words,) * 5,
    st.lists(words, min_size=1, max_size=3),
    st.integers(0, 1 << 40),
    st.booleans(),
)
MERGE = Merge("j", "vda", "d", "i", "b", "t", ("t",))


def placed(text):
    """As libvirt declares it."""
    root = tree.parse("<domain><metadata/></domain>")
    if text is not None:
        found = tree.parse(text)
        for one in found.iter():
            one.tag = f"{{{kept.URI}}}{one.tag}"
        root.find("metadata").append(found)
    return root


@given(st.lists(merges, max_size=3), st.booleans())
def test_what_is_written_is_read(some, thaw):
    whole = Kept(tuple(some), thaw)
    assert Kept.read(placed(whole.text)) == whole


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"merges":{}}',
        '{"merges":[[]],"thaw":1}',
        json.dumps({"merges": [{"id": "j"}]}),
        json.dumps({"merges": [{**kept.asdict(MERGE), "gone": "t"}]}),
        json.dumps({"merges": [{**kept.asdict(MERGE), "top": "other"}]}),
        json.dumps({"merges": [{**kept.asdict(MERGE), "bandwidth": "1"}]}),
        json.dumps({"merges": [{**kept.asdict(MERGE), "target": 3}]}),
    ],
)
def test_what_strangers_wrote_is_nothing(content):
    assert Kept.read(placed(tree.one_line(tree.element(kept.NAME, text=content)))) == Kept()


def test_each_writer_leaves_to_the_domain_what_others_wrote(machine, played):
    now(kept.put(machine, MERGE))
    now(kept.owe_thaw(machine, True))
    assert now(kept.read(machine)) == Kept((MERGE,), thaw=True)
    now(kept.drop(machine, MERGE))
    assert now(kept.read(machine)) == Kept((), thaw=True)
    now(kept.owe_thaw(machine, False))
    assert "virgate-jobs" not in played.host.domains.domains[machine.id].xml
