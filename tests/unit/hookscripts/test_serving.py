"""The script plugin implements every point, from the points' own declarations."""

import inspect

import pytest
import pytest_twisted

from virgate import hookimpl, hookspecs
from virgate.config import load
from virgate.hookscripts import HookSettings, Runner
from virgate.hookscripts.serving import Occasion, Service
from virgate.hookspecs.documents import JsonDocument, Subject, XmlDocument
from virgate.hookspecs.errors import HookError
from virgate.plugins import Hooks
from virgate_plugins import scripts

POINTS = {
    name: getattr(module, name)
    for module in hookspecs.modules()
    for name, point in hookspecs.points(module).items()
    if point.scripts
}


@pytest.fixture
def hooks(runner):
    before, scripts.service.runner = scripts.service.runner, runner
    hooks = Hooks(*hookspecs.modules())
    hooks.register(scripts, "scripts")
    yield hooks
    scripts.service.runner = before


def test_the_plugin_serves_every_point_that_scripts_may_serve(hooks):
    assert hooks.served_by(scripts) == sorted([*POINTS, "settings_loaded"])


@pytest.mark.parametrize("name", POINTS)
def test_pluggy_hands_over_every_argument_of_the_point(hooks, name):
    (found,) = getattr(hooks.manager.hook, name).get_hookimpls()
    assert list(found.argnames) == list(inspect.signature(POINTS[name]).parameters)


@pytest_twisted.ensureDeferred
async def test_scripts_see_what_other_plugins_changed_and_have_the_last_word(hooks, tree):
    class Other:
        @staticmethod
        def before_vm_start(domain):
            domain.tree.set("by", "plugin")

    Other.before_vm_start = staticmethod(hookimpl(Other.before_vm_start))
    hooks.register(Other, "other")
    tree.write("before_vm_start/1", """sed -i "s/plugin/plugin' and='script/; s/\\"/'/g" "$_hook_domxml" """)
    domain = XmlDocument("<domain/>")
    await hooks.before_vm_start(vm=Subject("V"), domain=domain)
    assert domain.text == "<domain by='plugin' and='script'/>"


@pytest_twisted.ensureDeferred
async def test_a_document_that_no_script_changed_keeps_its_tree(hooks, tree):
    tree.write("before_vm_start/1", "true")
    domain = XmlDocument("<domain/>")
    root = domain.tree
    await hooks.before_vm_start(vm=Subject("V"), domain=domain)
    assert domain.tree is root


@pytest_twisted.ensureDeferred
async def test_a_change_has_no_effect_where_the_point_does_not_take_it(hooks, tree):
    tree.write("before_vm_cont/1", 'echo "<changed/>" > "$_hook_domxml"')
    tree.write("before_get_caps/1", 'echo \'{"a": 1}\' > "$_hook_json"')
    domain, data = XmlDocument("<domain/>"), JsonDocument({})
    await hooks.before_vm_cont(vm=Subject("V"), domain=domain)
    await hooks.before_get_caps(data=data)
    assert (domain.text, data.value) == ("<domain/>", {})


@pytest_twisted.ensureDeferred
async def test_a_failure_is_raised_where_it_aborts_and_logged_where_it_does_not(hooks, tree):
    for point in ("before_vm_pause", "after_vm_start"):
        tree.write(f"{point}/1", "echo no >&2; exit 1")
    given = {"vm": Subject("V"), "domain": XmlDocument("<a/>")}
    await hooks.after_vm_start(**given)
    with pytest.raises(HookError, match=r"^Hook Error: no$"):
        await hooks.before_vm_pause(**given)


@pytest_twisted.ensureDeferred
async def test_a_failure_without_words_says_which_script_and_how(hooks, tree):
    path = tree.write("before_vm_pause/1", "exit 3")
    with pytest.raises(HookError) as caught:
        await hooks.before_vm_pause(vm=Subject("V"), domain=XmlDocument("<a/>"))
    assert str(caught.value) == f"Hook Error: {path} ended with status 3"


@pytest_twisted.ensureDeferred
async def test_long_words_are_cut_to_their_end(hooks, tree):
    tree.write("before_vm_pause/1", "head -c 9000 /dev/zero | tr '\\0' x >&2; echo reason >&2; exit 1")
    with pytest.raises(HookError) as caught:
        await hooks.before_vm_pause(vm=Subject("V"), domain=XmlDocument("<a/>"))
    assert len(str(caught.value)) < 4200
    assert str(caught.value).endswith("xreason")


@pytest_twisted.ensureDeferred
async def test_a_malformed_definition_never_reaches_the_hypervisor(hooks, tree):
    tree.write("before_vm_start/1", 'echo "this is no XML" > "$_hook_domxml"')
    domain = XmlDocument("<domain/>")
    with pytest.raises(HookError, match="before_vm_start: the scripts left malformed XML"):
        await hooks.before_vm_start(vm=Subject("V"), domain=domain)


@pytest.mark.parametrize(
    ("arguments", "params"),
    [
        ({"vm": Subject("V", {"a": "b"}), "domain": XmlDocument("<a/>")}, {}),
        ({"vm": Subject("V"), "device": XmlDocument("<a/>", custom={"p": "v"})}, {"p": "v"}),
        ({"vm": Subject("V"), "domain": XmlDocument("<a/>"), "from_snapshot": True}, {"FROM_SNAPSHOT": "True"}),
        ({"vm": Subject("V"), "domain": XmlDocument("<a/>"), "params": {"userName": "x"}}, {"userName": "x"}),
        ({"data": JsonDocument({"a": 1})}, {}),
        ({}, {}),
    ],
)
def test_arguments_become_what_the_runner_takes(arguments, params):
    occasion = Occasion.of(arguments)
    assert occasion.subject is arguments.get("vm")
    assert occasion.document is next(
        (arguments[name] for name in ("domain", "device", "data") if name in arguments), None
    )
    assert occasion.params == params


@pytest_twisted.ensureDeferred
async def test_new_settings_count_from_the_next_event_on(tree, tmp_path):
    before = scripts.service.runner
    try:
        scripts.settings_loaded(load(None, [f"hooks.directories={tree.root}", "hooks.timeout=7"]))
        assert scripts.service.runner.settings.timeout == 7
        assert scripts.service.runner.settings.directories == [tree.root]
    finally:
        scripts.service.runner = before


def test_where_nothing_is_installed_no_coroutine_is_made(runner):
    points = dict(Service(runner).implementations(hookspecs.modules()))
    assert points["before_vm_start"](Subject("V"), XmlDocument("<a/>")) is None


def test_settings_have_a_default_place_and_a_minute_of_patience():
    settings = load()[HookSettings]
    assert settings.timeout == 60.0
    assert [path.name for path in settings.directories] == ["hooks.d"]
    assert Runner().settings == settings
