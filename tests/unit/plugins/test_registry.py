"""Drop-in plugins come, change and go; a broken one is reported and hurts nobody."""

import os
from types import SimpleNamespace

import pytest
import pytest_twisted

from virgate.hookspecs.point import Answers, Failure, point
from virgate.plugins import Hooks, PluginRequired, PluginSettings, Registry, State


@point(Failure.LOG, answers=Answers.FIRST)
def colour(): ...


GOOD = "import virgate\n__version__ = '1.{n}'\n@virgate.hookimpl\ndef colour():\n    return 'c{n}'\n"


@pytest.fixture
def make(tmp_path):
    def registry(**settings):
        hooks = Hooks(SimpleNamespace(colour=colour))
        return Registry(hooks, PluginSettings(directories=[tmp_path], **settings)), hooks

    return registry


@pytest_twisted.ensureDeferred
async def test_a_dropped_changed_and_removed_file_takes_effect(make, tmp_path):
    registry, hooks = make()
    file = tmp_path / "paint.py"
    for n in (1, 2):
        file.write_text(GOOD.format(n=n))
        registry.refresh(file)
        assert await hooks.colour() == f"c{n}"
    (plugin,) = registry
    assert (plugin.name, plugin.version, plugin.hooks, plugin.state) == ("paint", "1.2", ("colour",), State.LOADED)
    file.unlink()
    registry.refresh(file)
    assert await hooks.colour() is None
    assert list(registry) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import nowhere_to_be_found\n", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("def x(:\n", "SyntaxError"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("virgate_api = 99\n", "ImportError: it is written for plugin API 99"),
        ("import virgate\n@virgate.hookimpl\ndef color(): pass\n", "unknown hook 'color'"),
    ],
)
def test_a_broken_plugin_is_reported_by_the_last_line_and_left_out(make, tmp_path, text, problem):
    registry, hooks = make()
    (tmp_path / "bad.py").write_text(text)
    registry.load_folders()
    (plugin,) = registry
    assert plugin.state is State.FAILED
    assert problem in plugin.problem
    assert hooks.manager.get_plugins() == set()


@pytest_twisted.ensureDeferred
async def test_a_broken_new_version_leaves_the_loaded_one_in_place(make, tmp_path):
    registry, hooks = make()
    (tmp_path / "paint.py").write_text(GOOD.format(n=1))
    registry.load_folders()
    (tmp_path / "paint.py").write_text("oops")
    registry.load_folders()
    assert await hooks.colour() == "c1"
    assert "NameError" in next(iter(registry)).problem


def test_a_disabled_plugin_is_listed_and_not_imported(make, tmp_path):
    registry, _ = make(disable=["paint"])
    (tmp_path / "paint.py").write_text("raise RuntimeError\n")
    registry.load_folders()
    assert [plugin.state for plugin in registry] == [State.DISABLED]


def test_a_required_plugin_that_failed_or_is_missing_is_an_error(make, tmp_path):
    registry, _ = make(require=["paint"])
    with pytest.raises(PluginRequired, match="paint is not loaded: not installed"):
        registry.check_required()
    (tmp_path / "paint.py").write_text("1/0\n")
    registry.load_folders()
    with pytest.raises(PluginRequired, match="ZeroDivisionError"):
        registry.check_required()


def test_a_file_that_anybody_can_change_is_refused(make, tmp_path):
    registry, _ = make()
    (tmp_path / "paint.py").write_text(GOOD.format(n=1))
    (tmp_path / "paint.py").chmod(0o666)
    registry.load_folders()
    assert "can be changed by anybody" in next(iter(registry)).problem


def test_a_file_in_a_folder_that_anybody_can_change_is_refused(make, tmp_path):
    registry, _ = make()
    (tmp_path / "paint.py").write_text(GOOD.format(n=1))
    tmp_path.chmod(0o777)
    registry.load_folders()
    assert f"{tmp_path} can be changed by anybody" in next(iter(registry)).problem


def test_a_file_of_another_user_is_refused(make, tmp_path):
    registry, _ = make()
    (tmp_path / "paint.py").write_text(GOOD.format(n=1))
    os.chown(tmp_path / "paint.py", 65534, -1)
    registry.load_folders()
    assert "paint.py belongs to user 65534" in next(iter(registry)).problem


def test_the_installed_plugins_are_found_by_their_entry_points(make):
    registry, _ = make(disable=["localfs", "local-lease", "scripts", "xmlrpc"])
    registry.load_installed()
    assert {"localfs", "scripts", "xmlrpc"} <= {plugin.name for plugin in registry}
