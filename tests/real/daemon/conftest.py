"""Daemons for the tests of this folder."""

import pytest
from lab.virgated import Running


@pytest.fixture
def virgated(tmp_path):
    """Makes daemons in a folder of the test's; ends them."""
    made = []

    def make(**environment: str) -> Running:
        for name in ("plugins.d", "hooks.d"):
            (tmp_path / name).mkdir(exist_ok=True)
        made.append(Running(tmp_path, environment=environment))
        return made[-1]

    yield make
    for running in made:
        running.end()
