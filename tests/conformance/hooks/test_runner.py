"""V3: what the runner makes of scripts. Where the two versions of the reference differ, the spec's remark decides."""

import os
import stat

import pytest
import pytest_twisted

from virgate.hookscripts.report import Report
from virgate.hookspecs.documents import JsonDocument, Subject, XmlDocument
from virgate.hookspecs.errors import HookError


def appending(code=0):
    """A script that adds its name to the document, says so, and ends with the code."""
    return f"""#!/bin/sh
name=$(basename "$0")
printf '%s,' "$name" >> "${{_hook_domxml:-$_hook_json}}"
echo "err-$name" >&2
exit {code}
"""


async def run(bench, point, text="", subject=None, params=None):
    return await bench.runner.run(point, subject, None if text is None else XmlDocument(text), params or {})


@pytest.mark.parametrize("data", [{"x": [1]}, None])
@pytest_twisted.ensureDeferred
async def test_r1_without_scripts_the_very_object_stays(bench, data):
    document = JsonDocument(data)
    await bench.hooks.after_get_caps(data=document)
    assert document.value is data
    assert (await run(bench, "after_vm_start", None)).ended == ()


@pytest_twisted.ensureDeferred
async def test_r2_no_data_is_an_empty_file_or_json_null(bench):
    bench.write("before_vm_destroy", "1", "#!/bin/sh\n")
    bench.write("after_get_caps", "1", "#!/bin/sh\n")
    assert (await run(bench, "before_vm_destroy", None)).text == ""
    assert (await bench.runner.run("after_get_caps", None, JsonDocument(None), {})).text == "null"


@pytest.mark.parametrize(
    ("code", "ran"), [(0, "1,2,"), (1, "1,2,"), (2, "1,"), (3, "1,2,"), (111, "1,2,")], ids=lambda value: str(value)
)
@pytest_twisted.ensureDeferred
async def test_r3_r4_only_status_2_stops_later_scripts(bench, code, ran):
    bench.write("after_vm_start", "1", appending(code))
    bench.write("after_vm_start", "2", appending())
    verdict = await run(bench, "after_vm_start")
    assert verdict.text == ran
    assert verdict.failed == bool(code)


@pytest_twisted.ensureDeferred
async def test_r4_a_killed_script_failed_and_later_ones_run(bench):
    bench.write("after_vm_start", "1", "#!/bin/sh\nkill -KILL $$\n")
    bench.write("after_vm_start", "2", appending())
    verdict = await run(bench, "after_vm_start")
    assert [ended.code for ended in verdict.ended] == [-9, 0]
    assert verdict.ended[0].how == "was killed by SIGKILL"
    assert verdict.text == "2,"


@pytest.mark.parametrize("code", [1, 2, 3])
@pytest_twisted.ensureDeferred
async def test_r5_a_failure_carries_what_the_last_failing_script_said(bench, code):
    bench.write("before_vm_pause", "1", appending(code))
    bench.write("before_vm_pause", "2", appending())
    with pytest.raises(HookError) as caught:
        await bench.start(domain="", point="before_vm_pause")
    assert str(caught.value) == "Hook Error: err-1"
    assert (caught.value.point, os.path.basename(caught.value.script)) == ("before_vm_pause", "1")


@pytest_twisted.ensureDeferred
async def test_r6_the_document_of_a_failed_start_is_there_when_the_error_is_raised(bench):
    bench.write("before_vm_start", "1", appending(1))
    bench.write("before_vm_start", "2", appending())
    document = XmlDocument("")
    with pytest.raises(HookError, match=r"^Hook Error: err-1$"):
        await bench.hooks.before_vm_start(vm=Subject("V"), domain=document)
    assert document.text == "1,2,"


@pytest_twisted.ensureDeferred
async def test_r8_executable_files_run_in_the_order_of_their_code_points(bench):
    for name in ("10_b", "9_a", "A", "a", "_x", "Z", "b~", "c.rpmsave", ".hid"):
        bench.write("after_vm_start", name, appending())
    bench.write("after_vm_start", "noexec", appending(), mode=0o644)
    (bench.root / "after_vm_start" / "__pycache__").mkdir()
    assert (await run(bench, "after_vm_start")).text == "10_b,9_a,A,Z,_x,a,b~,c.rpmsave,"


@pytest_twisted.ensureDeferred
async def test_r9_the_machines_properties_win_and_the_runners_own_win_over_them(bench):
    seen = bench.root / "seen"
    bench.write("after_vm_start", "1", f'#!/bin/sh\n{{ env -0; stat -c mode=%a "$_hook_domxml"; }} > {seen}\n')
    custom = {"p": "vm", "q": 'ü "x" $y;\n2', "vmId": "fake", "_hook_domxml": "fake"}
    await run(bench, "after_vm_start", "", Subject("V", custom), {"p": "dev", "r": "dev"})
    *lines, mode = seen.read_text().split("\0")
    environment = dict(line.split("=", 1) for line in lines)
    assert {name: environment[name] for name in ("p", "r", "q", "vmId")} == {
        "p": "vm",
        "r": "dev",
        "q": 'ü "x" $y;\n2',
        "vmId": "V",
    }
    assert environment["_hook_domxml"].startswith("/")
    assert mode.strip() == "mode=600"
    assert not os.path.exists(environment["_hook_domxml"])


@pytest_twisted.ensureDeferred
async def test_r10_values_no_environment_can_hold_are_left_out(bench):
    seen = bench.root / "seen"
    bench.write("after_vm_start", "1", f"#!/bin/sh\nenv > {seen}\n")
    custom = {"none": None, "one": 1, "yes": True, "half": 0.5, "nul": "a\0b", "a=b": "c", "": "d", "list": [1]}
    await run(bench, "after_vm_start", "", Subject("V", custom))
    environment = dict(line.split("=", 1) for line in seen.read_text().splitlines())
    found = {name: environment.get(name) for name in ("none", "one", "yes", "half", "nul", "list", "a", "")}
    assert found == {
        "none": None,
        "one": "1",
        "yes": "True",
        "half": "0.5",
        "nul": None,
        "list": None,
        "a": None,
        "": None,
    }


REMOVED = '#!/bin/sh\nrm "${_hook_domxml:-$_hook_json}"\n'
DAMAGES = {
    "removed": REMOVED,
    "not UTF-8": '#!/bin/sh\nprintf "<a>\\377</a>" > "${_hook_domxml:-$_hook_json}"\n',
    "a pipe": REMOVED + 'mkfifo "${_hook_domxml:-$_hook_json}"\n',
    "a folder": REMOVED + 'mkdir "${_hook_domxml:-$_hook_json}"\n',
    "a dead link": REMOVED + 'ln -s /no/such/file "${_hook_domxml:-$_hook_json}"\n',
    "half a value": '#!/bin/sh\nprintf "{<" > "${_hook_domxml:-$_hook_json}"\n',
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest_twisted.ensureDeferred
async def test_r11_r12_a_damaged_document_aborts_before_and_is_forgotten_after(bench, documents, damage):
    for point in ("before_vm_start", "after_get_caps", "before_get_caps"):
        bench.write(point, "1", DAMAGES[damage])
    with pytest.raises(HookError, match="before_vm_start: the scripts left"):
        await bench.start()
    with pytest.raises(HookError, match="before_get_caps: the scripts left"):
        await bench.value("before_get_caps", {})
    assert await bench.value("after_get_caps", {"a": 1}) == {"a": 1}


@pytest_twisted.ensureDeferred
async def test_r11_a_document_renamed_over_the_old_one_counts(bench):
    bench.write(
        "before_vm_start", "1", '#!/bin/sh\nprintf "<new/>" > "$_hook_domxml.x"; mv "$_hook_domxml.x" "$_hook_domxml"\n'
    )
    assert await bench.start() == "<new/>"


@pytest.mark.parametrize(
    ("point", "data", "written"),
    [
        ("after_get_caps", {"a": 1}, "[]"),
        ("after_get_caps", {"a": 1}, "null"),
        ("after_get_vm_stats", [{"a": 1}], "[]"),
        ("after_get_vm_stats", [{"a": 1}], "[1]"),
        ("after_get_all_vm_stats", [{"a": 1}], '[{}, "x"]'),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_value_of_another_shape_is_forgotten(bench, point, data, written):
    bench.write(point, "1", f"#!/bin/sh\necho '{written}' > \"$_hook_json\"\n")
    assert await bench.value(point, data) == data


@pytest_twisted.ensureDeferred
async def test_a_request_of_another_shape_aborts_the_setup_of_networks(bench):
    bench.write("before_network_setup", "1", "#!/bin/sh\necho '{}' > \"$_hook_json\"\n")
    with pytest.raises(HookError, match="another shape"):
        await bench.value("before_network_setup", {"request": {"networks": {}}})


@pytest_twisted.ensureDeferred
async def test_r13_what_a_failed_script_wrote_is_used_where_failures_are_logged(bench):
    bench.write("after_get_caps", "1", '#!/bin/sh\necho \'{"x":1}\' > "$_hook_json"; exit 1\n')
    assert await bench.value("after_get_caps", {}) == {"x": 1}


@pytest_twisted.ensureDeferred
async def test_r14_json_is_plain_ascii_with_the_usual_separators(bench):
    seen = bench.root / "seen"
    bench.write("after_get_caps", "1", f'#!/bin/sh\ncp "$_hook_json" {seen}\n')
    data = {1: (1, 2), "k": None, "ü": 1.5}
    await bench.hooks.after_get_caps(data=JsonDocument(data))
    assert seen.read_text() == '{"1": [1, 2], "k": null, "\\u00fc": 1.5}'
    assert data == {1: (1, 2), "k": None, "ü": 1.5}


@pytest_twisted.ensureDeferred
async def test_r15_destroying_hands_over_nothing_and_cannot_be_refused(bench):
    seen = bench.root / "seen"
    bench.write("before_vm_destroy", "1", f'#!/bin/sh\necho "$vmId" $(stat -c %s "$_hook_domxml") > {seen}; exit 2\n')
    await bench.hooks.before_vm_destroy(vm=Subject("V"))
    assert seen.read_text() == "V 0\n"


@pytest_twisted.ensureDeferred
async def test_r16_a_file_without_an_interpreter_line_is_a_shells(bench):
    bench.write("after_vm_start", "1", "echo hi >&2; exit 1\n")
    (ended,) = (await run(bench, "after_vm_start")).ended
    assert (ended.code, ended.stderr) == (1, "hi")


@pytest_twisted.ensureDeferred
async def test_r17_an_interpreter_that_is_not_there_is_status_127(bench):
    bench.write("before_vm_pause", "1", "#!/bin/sh\r\nexit 0\r\n")
    bench.write("before_vm_pause", "2", appending())
    verdict = await run(bench, "before_vm_pause")
    assert [ended.code for ended in verdict.ended] == [127, 0]
    with pytest.raises(HookError, match="cannot be run: no interpreter or no file"):
        await bench.start(domain="", point="before_vm_pause")


@pytest_twisted.ensureDeferred
async def test_what_may_not_be_executed_is_status_126(bench):
    path = bench.write("after_vm_start", "1", "#!/etc/passwd\n")
    bench.write("after_vm_start", "2", appending())
    verdict = await run(bench, "after_vm_start")
    assert [ended.code for ended in verdict.ended] == [126, 0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_r18_r19_r20_installed_scripts_are_reported_with_both_checksums(bench):
    bench.write("before_vm_start", "50_x", "#!/bin/sh\nexit 0\n")
    bench.write("my_own_dir", "50_x", "abc", mode=0o700)
    bench.write("after_vm_start", "notes", "abc", mode=0o644)
    bench.write(".", "plain", "abc")
    installed = Report().installed([bench.root])
    assert sorted(installed) == ["before_vm_start", "my_own_dir"]
    assert installed["before_vm_start"]["50_x"] == {
        "md5": "33e4fd94e2560e008e2c3b431d0e3419",
        "checksum": "306c6ca7407560340797866e077e053627ad409277d1b9da58106fce4cf717cb",
    }
    assert (
        installed["my_own_dir"]["50_x"]["checksum"]
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
