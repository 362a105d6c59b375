import pytest

from virgate.api import verb as module
from virgate.api.verb import Caller, Family, Reply, planned, verb, verbs
from virgate.api.wire import Flag, Integer, Text


@pytest.fixture(autouse=True)
def empty_table(monkeypatch):
    monkeypatch.setattr(module, "_declared", {})


def build(xmlrpc="x", **options):
    @verb("Test.x", xmlrpc=xmlrpc, **options)
    async def built(node, name: Text, count: Integer = 3, *, caller: Caller, force: Flag = False) -> Reply:
        """Do it.

        More about it.
        """

    return built


def plan(xmlrpc="x"):
    planned("Test.x", xmlrpc=xmlrpc, summary="Not yet.")


@pytest.mark.parametrize("order", [(build, plan), (plan, build)])
def test_a_built_verb_wins_over_a_planned_one_in_any_order(order):
    for declare in order:
        declare()
    assert verbs()["x"].built


@pytest.mark.parametrize("declare", [build, plan])
def test_two_declarations_of_a_kind_are_a_mistake(declare):
    declare()
    with pytest.raises(ValueError, match="declared twice"):
        declare()


def test_parameters_come_from_the_function_and_the_caller_is_none_of_them():
    build(default_code=300, secret=("name",))
    found = verbs()["x"]
    assert [(each.name, each.kind, each.required, each.default) for each in found.parameters] == [
        ("name", "string", True, None),
        ("count", "integer", False, 3),
        ("force", "boolean", False, False),
    ]
    assert (found.wants_caller, found.summary, found.room) == ("caller", "Do it.", "test_verb")
    assert (found.default_code, found.secret, found.family) == (300, {"name"}, Family.HOST)


def test_a_parameter_without_a_wire_type_is_a_mistake():
    with pytest.raises(TypeError, match=r"virgate\.api\.wire"):

        @verb("Test.y", xmlrpc="y")
        async def wrong(node, name: str) -> Reply:
            """Wrong."""


def test_verbs_are_listed_by_name():
    plan("b")
    build("a")
    assert list(verbs()) == ["a", "b"]
