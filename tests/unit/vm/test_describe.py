"""What `list full` may carry over every wire."""

from typing import Any

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.vm import describe

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in leaves(inner)]
    return [value]


@given(st.dictionaries(st.text(max_size=4), values, max_size=5))
def test_nothing_is_left_that_a_wire_refuses(conf: dict[str, Any]) -> None:
    for leaf in leaves(describe.wire(conf)):
        assert leaf is not None
        assert not isinstance(leaf, int) or -(1 << 31) <= leaf < 1 << 31


@pytest.mark.parametrize("value", [0, -1, (1 << 31) - 1, -(1 << 31), True, 1.5, "", {"a": [1]}])
def test_what_fits_stays_as_it_is(value: Any) -> None:
    assert describe.wire(value) == value


@pytest_twisted.ensureDeferred
async def test_private_keys_of_a_conf_are_never_shown(host: Any, params: dict[str, Any]) -> None:
    machine = await host.machines.create({**params, "_secret": "x", "mine": None, "big": 1 << 40})
    machine.record.conf["_srcDomXML"] = "<x/>"
    full = describe.full(machine)
    assert not [name for name in full if name.startswith("_")]
    assert "mine" not in full and full["big"] == str(1 << 40)
