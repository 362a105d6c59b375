"""Later sources win, impossible values are left out, everything else arrives to the letter."""

import os
from pathlib import Path

import pytest
import pytest_twisted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from virgate.hookscripts.environment import COMPAT, environment, inherited
from virgate.hookspecs.documents import Subject, XmlDocument

RUN = Path("/run/virgate")
OURS = {"vmId", "VIRGATE_RUN_DIR", "PYTHONPATH", "_hook_domxml", "_hook_json"}
NAMES = st.text(min_size=1, max_size=20).filter(lambda name: name not in OURS)
CUSTOM = st.dictionaries(NAMES, st.text(max_size=60), max_size=5)


def possible(name, text):
    try:
        (name + text).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return "=" not in name and "\0" not in name + text and not name.startswith("LD_")


@given(base=CUSTOM, params=CUSTOM, custom=CUSTOM)
def test_each_name_has_the_value_of_its_last_source(base, params, custom):
    made, left_out = environment(base, Subject("V", custom), params, RUN)
    wanted = dict(base)
    for source in (params, custom):
        wanted.update({name: text for name, text in source.items() if possible(name, text)})
    assert {name: text for name, text in made.items() if name not in OURS} == wanted
    both = [*params.items(), *custom.items()]
    assert left_out == [name for name, text in both if not possible(name, text)]


def test_properties_cannot_tell_the_dynamic_loader_what_to_load():
    custom = {"LD_PRELOAD": "/tmp/evil.so", "LD_AUDIT": "x", "OLD_WAYS": "kept"}
    made, left_out = environment({"LD_LIBRARY_PATH": "/opt/lib"}, Subject("V", custom), {"LD_DEBUG": "all"}, RUN)
    assert {name for name in made if "LD_" in name} == {"LD_LIBRARY_PATH", "OLD_WAYS"}, "the daemon's own stay"
    assert left_out == ["LD_DEBUG", "LD_PRELOAD", "LD_AUDIT"]


@given(value=st.one_of(st.integers(), st.booleans(), st.floats(allow_nan=False)))
def test_numbers_become_text(value):
    assert environment({}, Subject("V", {"n": value}), {}, RUN)[0]["n"] == str(value)


@pytest.mark.parametrize("value", [None, b"x", [], {}, object()])
def test_what_is_no_text_is_left_out(value):
    made, left_out = environment({}, Subject("V", {"n": value}), {"m": value}, RUN)
    assert not {"n", "m"} & {*made}
    assert left_out == ["m", "n"]


@pytest.mark.parametrize("name", ["", "a=b", "=", "a\0"])
def test_a_name_no_environment_can_hold_is_left_out(name):
    made, left_out = environment({}, Subject("V", {name: "x"}), {}, RUN)
    assert name not in made
    assert left_out == [name]


def test_the_machines_id_wins_over_a_property_of_that_name():
    assert environment({}, Subject("V", {"vmId": "fake"}), {"vmId": "fake"}, RUN)[0]["vmId"] == "V"


def test_without_a_machine_there_is_no_id():
    assert "vmId" not in environment({}, None, {}, RUN)[0]


@pytest.mark.parametrize(("before", "after"), [({}, f":{COMPAT}"), ({"PYTHONPATH": "/a"}, f"/a:{COMPAT}")])
def test_the_hooking_module_comes_last_on_the_python_path(before, after):
    assert environment(before, None, {}, RUN)[0]["PYTHONPATH"] == after


def test_a_property_may_shadow_a_variable_of_the_daemon_but_not_the_runners_own():
    made, _ = environment({"PATH": "/bin"}, Subject("V", {"PATH": "/x", "VIRGATE_RUN_DIR": "/x"}), {}, RUN)
    assert (made["PATH"], made["VIRGATE_RUN_DIR"]) == ("/x", "/run/virgate")


def test_the_service_managers_variables_stay_with_the_daemon():
    daemon = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "LISTEN_FDS": "1", "HOME": "/root", "LC_ALL": "C"}
    assert inherited(daemon) == {"HOME": "/root", "LC_ALL": "C.UTF-8"}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(custom=st.dictionaries(st.from_regex(r"[a-z_A-Z0-9]+", fullmatch=True), st.text(max_size=200), max_size=4))
@pytest_twisted.ensureDeferred
async def test_properties_reach_a_real_script_to_the_letter(custom, tree, runner):
    seen = tree.root / "seen"
    tree.write("after_vm_start/1", f"/bin/cat /proc/$$/environ > {seen}")  # a shell drops names it cannot spell
    await runner.run("after_vm_start", Subject("V", custom), XmlDocument("<a/>"), {})
    found = dict(item.split(b"=", 1) for item in seen.read_bytes().split(b"\0") if item)
    for name, text in custom.items():
        if possible(name, text) and name not in OURS:
            assert os.fsdecode(found[name.encode()]) == text
