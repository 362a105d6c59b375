"""Implementations are awaited one by one, and a point's declaration says what failing and answering mean."""

from types import ModuleType, SimpleNamespace

import pluggy
import pytest
import pytest_twisted

from virgate import hookimpl
from virgate.hookspecs.point import Answers, Failure, point
from virgate.plugins import Hooks


@point(Failure.ABORT)
def cook(dish, salt): ...


@point(Failure.LOG)
def serve(dish): ...


@point(Failure.LOG, answers=Answers.FIRST)
def who_pays(dish): ...


@point(Failure.LOG, answers=Answers.ALL)
def taste(dish): ...


@pytest.fixture
def hooks():
    return Hooks(SimpleNamespace(cook=cook, serve=serve, who_pays=who_pays, taste=taste))


def plug(hooks, **functions):
    plugin = ModuleType(f"plugin{len(hooks.manager.get_plugins())}")
    vars(plugin).update({name: hookimpl(function) for name, function in functions.items()})
    hooks.register(plugin, plugin.__name__)
    return plugin


@pytest_twisted.ensureDeferred
async def test_functions_and_coroutines_are_called_in_order_with_the_arguments_they_ask_for(hooks):
    seen = []

    async def later(dish, salt):
        seen.append(("coroutine", dish, salt))

    plug(hooks, cook=later)
    plug(hooks, cook=lambda salt: seen.append(("function", salt)))
    await hooks.cook(dish="soup", salt=2)
    assert sorted(seen) == [("coroutine", "soup", 2), ("function", 2)]


@pytest_twisted.ensureDeferred
async def test_tryfirst_comes_first(hooks):
    seen = []
    first = ModuleType("first")
    first.cook = hookimpl(tryfirst=True)(lambda: seen.append("first"))
    hooks.register(first, "first")
    plug(hooks, cook=lambda: seen.append("normal"))
    await hooks.cook(dish=1, salt=1)
    assert seen == ["first", "normal"]


@pytest_twisted.ensureDeferred
async def test_an_abort_point_raises_the_implementation_error_as_itself(hooks):
    plug(hooks, cook=lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await hooks.cook(dish="soup", salt=0)


@pytest_twisted.ensureDeferred
async def test_a_log_point_goes_on_after_a_failure(hooks):
    seen = []
    plug(hooks, serve=lambda dish: seen.append(dish))
    plug(hooks, serve=lambda: 1 / 0)
    plug(hooks, serve=lambda dish: seen.append(dish))
    await hooks.serve(dish="soup")
    assert seen == ["soup", "soup"]


@pytest_twisted.ensureDeferred
async def test_answers_are_the_first_or_all_that_are_not_none(hooks):
    plug(hooks, who_pays=lambda: "ann", taste=lambda: 1)
    plug(hooks, who_pays=lambda: None, taste=lambda: None)
    plug(hooks, taste=lambda: 3)
    assert await hooks.who_pays(dish="soup") == "ann"
    assert sorted(await hooks.taste(dish="soup")) == [1, 3]


@pytest_twisted.ensureDeferred
async def test_a_plugin_that_leaves_is_not_called_any_more(hooks):
    seen = []
    plugin = plug(hooks, serve=lambda dish: seen.append(dish))
    await hooks.serve(dish=1)
    hooks.unregister(plugin)
    await hooks.serve(dish=2)
    assert seen == [1]


def test_an_unknown_hook_or_argument_is_refused_and_nothing_stays_registered(hooks):
    with pytest.raises(pluggy.PluginValidationError):
        plug(hooks, cok=lambda: None)
    with pytest.raises(pluggy.PluginValidationError):
        plug(hooks, cook=lambda sugar: None)
    assert hooks.manager.get_plugins() == set()
    with pytest.raises(AttributeError, match="no hook point is called cok"):
        hooks.cok  # noqa: B018
