"""The agent runs on every Python from 3.6 on, with nothing but its standard library."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "guest"
SOURCES = sorted((ROOT / "virgate_guest").rglob("*.py"))
FOUND = sorted(
    {
        str(path.resolve()): path
        for folder in (Path("/usr/bin"), Path("/usr/local/bin"), *Path.home().glob(".pyenv/versions/*/bin"))
        for path in folder.glob("python3.*")
        if path.name[8:].isdigit() and int(path.name[8:]) >= 6
    }.values()
)
PYTHONS = FOUND or [Path(sys.executable)]
HEAVY = ("asyncio", "logging", "subprocess", "threading", "typing", "pathlib", "socket", "dataclasses", "configparser")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_has_the_syntax_of_python_3_6(path):
    ast.parse(path.read_text(), feature_version=(3, 6))


def evaluated(path):
    """Annotations that Python evaluates when it loads the module or makes the function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            everything = [*node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
            yield from (one.annotation for one in everything if one is not None and one.annotation is not None)
            yield from [node.returns] if node.returns is not None else []
        elif isinstance(node, (ast.ClassDef, ast.Module)):
            yield from (one.annotation for one in node.body if isinstance(one, ast.AnnAssign))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_annotations_that_old_pythons_cannot_evaluate_are_strings(path):
    assert [ast.unparse(one) for one in evaluated(path) if isinstance(one, (ast.Subscript, ast.BinOp))] == []


def run(python, *words):
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"}
    return subprocess.run([python, "-S", *words], env=environment, capture_output=True, text=True, timeout=60)


EVERYTHING = """
import importlib, pkgutil, sys, virgate_guest
for module in pkgutil.walk_packages(virgate_guest.__path__, "virgate_guest."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.name)
def test_every_python_here_loads_all_of_it(python):
    done = run(python, "-W", "error", "-c", EVERYTHING)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.name)
def test_every_python_here_says_its_version(python):
    assert run(python, "-m", "virgate_guest", "--version").stdout.startswith("virgate-guest ")


def test_what_costs_a_guest_memory_is_not_loaded():
    program = """
import sys
before = set(sys.modules)
from virgate_guest import agent, command, desktop, errands, hooks, loop, port, power, reports, settings, watches
print(*sorted(set(sys.modules) - before))
"""
    loaded = run(sys.executable, "-c", program).stdout.split()
    assert "virgate_guest.agent" in loaded
    assert [name for name in HEAVY if name in loaded] == []
