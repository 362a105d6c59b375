"""Merging of same pages: what may be written where."""

from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from virgate.node.host.ksm import CannotTune, checked, tune


@pytest_twisted.ensureDeferred
async def test_each_value_goes_to_its_file(tmp_path: Path) -> None:
    await tune({"run": "1", "sleep_millisecs": 20}, tmp_path)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"run": "1", "sleep_millisecs": "20"}


@pytest.mark.parametrize(
    "values",
    [{"run": 3}, {"run": -1}, {"run": "on"}, {"../../x": 1}, {"pages_to_scan": 1 << 32}, {"merge_across_nodes": None}],
)
@pytest_twisted.ensureDeferred
async def test_a_wrong_key_or_value_writes_nothing_at_all(tmp_path: Path, values: dict[str, Any]) -> None:
    with pytest.raises(CannotTune) as caught:
        await tune({"sleep_millisecs": 20, **values}, tmp_path)
    assert caught.value.code == 71 and not list(tmp_path.iterdir())


@pytest_twisted.ensureDeferred
async def test_a_kernel_without_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(CannotTune, match="No such file"):
        await tune({"run": 1}, tmp_path / "missing")


def test_the_largest_values_are_taken() -> None:
    assert checked({"pages_to_scan": str((1 << 32) - 1)}) == {"pages_to_scan": (1 << 32) - 1}
