"""Scripts in a folder of their own, and a runner over them."""

from pathlib import Path

import pytest
from attrs import frozen

from virgate.config import load
from virgate.hookscripts import HookSettings, Runner


@frozen
class Tree:
    """A hooks tree. `tree.write("before_vm_start/50_x", "exit 1")` makes a shell script."""

    root: Path

    def write(self, path, text="", mode=0o755):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
        file.chmod(mode)
        return file


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "hooks")


@pytest.fixture
def runner_of(tmp_path):
    """A runner with settings: `runner_of(timeout=0.1)`; looks into `tmp_path/hooks` unless told otherwise."""

    def make(directories=None, timeout=30.0):
        folders = ",".join(map(str, directories or [tmp_path / "hooks"]))
        settings = load(None, [f"hooks.directories={folders}", f"hooks.timeout={timeout}"])
        return Runner(settings[HookSettings], tmp_path / "run")

    return make


@pytest.fixture
def runner(runner_of):
    return runner_of()
