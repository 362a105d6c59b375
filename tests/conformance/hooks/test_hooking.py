"""V4: the `hooking` module, in every Python of this machine."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from virgate.hookscripts.environment import COMPAT

K1 = """<?xml version="1.0" encoding="utf-8"?>
<!-- c -->
<a b="1" a="2">α<x/>
 <y z='"q"&lt;'></y></a>
"""
WRITTEN = '<a b="1" a="2">α<x/>\n <y z="&quot;q&quot;&lt;"/></a>'


def interpreters():
    """Every Python that works here: the tests' own, the system's, and others beside them."""
    homes = [Path("/usr/bin"), Path("/usr/local/bin"), *(Path.home() / ".pyenv/versions").glob("*/bin")]
    names = [path for home in homes for name in ("python2.7", "python3") for path in [home / name] if path.exists()]
    found = {}
    for path in [Path(sys.executable), *names]:
        asked = subprocess.run([path, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True)
        if asked.returncode == 0:
            found.setdefault(ast.literal_eval(asked.stdout), str(path))
    return [pytest.param(path, id=".".join(map(str, version))) for version, path in sorted(found.items())]


@pytest.fixture(params=interpreters())
def ask(request, tmp_path):
    """Runs a piece of a script; gives its exit code, what it wrote to both streams, and the document it left."""

    def run(code, document="", variable="_hook_domxml", **environment):
        data = tmp_path / "data"
        data.write_bytes(document.encode())
        script = tmp_path / "script"
        script.write_text(
            f"# -*- coding: utf-8 -*-\nfrom __future__ import print_function\nimport os, sys, json\n{code}\n"
        )
        surroundings = dict(os.environ, PYTHONPATH=str(COMPAT), PYTHONDONTWRITEBYTECODE="1", LC_ALL="C.UTF-8")
        surroundings.update(environment, **{variable: str(data)})
        done = subprocess.run([request.param, str(script)], env=surroundings, capture_output=True)
        return done.returncode, done.stdout.decode(), done.stderr.decode(), data.read_bytes().decode()

    run.python3 = "python2" not in request.param
    run.ordered = run.python3 and not any(f"3.{minor}." in request.param for minor in (6, 7))
    return run


def sort_attributes(text):
    """minidom sorts attributes before Python 3.8."""
    return text.replace('b="1" a="2"', 'a="2" b="1"')


def test_k1_a_document_is_written_without_blanks_around_its_root(ask):
    code, _, err, left = ask("import hooking; hooking.write_domxml(hooking.read_domxml())", K1)
    assert (code, err) == (0, "")
    expected = f'<?xml version="1.0" encoding="utf-8"?><!-- c -->{WRITTEN}'
    assert left == (expected if ask.ordered else sort_attributes(expected))


def test_k2_an_element_is_written_without_a_declaration(ask):
    code, _, err, left = ask("import hooking; hooking.write_domxml(hooking.read_domxml().documentElement)", K1)
    assert (code, err) == (0, "")
    assert left == (WRITTEN if ask.ordered else sort_attributes(WRITTEN))


def test_k3_json_is_written_in_ascii(ask):
    code, _, err, left = ask(
        "import hooking, collections\nhooking.write_json(collections.OrderedDict([(u'\\u03b1', 1.0), ('n', None)]))",
        variable="_hook_json",
    )
    assert (code, err, left) == (0, "", '{"\\u03b1": 1.0, "n": null}')


def test_json_is_read_as_it_was_written(ask):
    _, out, _, _ = ask("import hooking; print(json.dumps(hooking.read_json()))", '{"\\u03b1": [1, "ü"]}', "_hook_json")
    assert json.loads(out) == {"α": [1, "ü"]}


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (r"['printf', 'a\nb\n']", "(0, [b'a', b'b'], [])"),
        (r"['printf', 'a\nb\n'], raw=True", r"(0, b'a\nb\n', b'')"),
        ("['sh', '-c', 'echo e >&2; exit 3']", "(3, [], [b'e'])"),
        ("['cat'], data=b'xy', raw=True", "(0, b'xy', b'')"),
        ("iter(['echo', 'x']), nice=1, ioclass=2, ioclassdata=7, setsid=True, sudo=True", "(0, [b'x'], [])"),
        ("['pwd'], cwd='/', env={'PATH': '/bin:/usr/bin'}", "(0, [b'/'], [])"),
        ("['sh', '-c', 'umask'], childUmask=0o27, deathSignal=9", "(0, [b'0027'], [])"),
    ],
    ids=["K4", "K4 raw", "K5", "K6", "prefixes", "folder", "child"],
)
def test_k4_k5_k6_a_command_answers_code_and_output(ask, call, answer):
    code, out, err, _ = ask(f"import hooking; print(hooking.execCmd({call}) == {answer})")
    assert (code, out, err) == (0, "True\n", "")


def test_a_missing_command_is_status_127_as_under_taskset(ask):
    _, out, _, _ = ask("import hooking; rc, out, err = hooking.execCmd(['/no/such']); print(rc, out, len(err))")
    assert out == "127 [] 1\n"
    code, _, err, _ = ask("import hooking; hooking.execCmd(['/no/such'], resetCpuAffinity=False)")
    assert code == 1
    assert "OSError" in err or "FileNotFoundError" in err


def test_a_command_may_go_on_in_the_background(ask):
    _, out, err, _ = ask(
        "import hooking\n"
        "child = hooking.execCmd(['cat'], sync=False)\n"
        "print(child.wait(timeout=0.01), child.wait(cond=lambda: True), child.returncode)\n"
        "print(child.communicate(b'xy')[0] == b'xy', child.returncode, child.pid > 1)\n"
        "child = hooking.execCmd(['sleep', '60'], sync=False)\n"
        "child.kill(); print(child.wait(), child.returncode)\n"
        "child = hooking.execCmd(['cat'], sync=False, data=b'fed'); print(child.stdout.read() == b'fed', child.wait())"
    )
    assert (err, out) == ("", "False False None\nTrue 0 True\nTrue -9\nTrue True\n")


@pytest.mark.parametrize(("call", "status"), [("'bye'", 2), ("'bye', return_code=1", 1)])
def test_k7_a_script_ends_with_its_last_word(ask, call, status):
    code, _, err, _ = ask(f"import hooking; hooking.exit_hook({call})")
    assert (code, err) == (status, "bye\n")


def test_tobool_knows_true_and_numbers_written_as_text(ask):
    _, out, err, _ = ask(
        "from hooking import tobool\n"
        "print([v for v in ('1', '2', '-1', 'TRUE', True) if not tobool(v)])\n"
        "print([v for v in ('0', '', ' true', 'yes', 'on', '1.0', 1, None, False, []) if tobool(v)])"
    )
    assert (err, out) == ("", "[]\n[]\n")


def test_both_import_forms_give_one_module(ask):
    _, out, err, _ = ask(
        "import hooking; from vdsm.hook import hooking as other; import vdsm.hook.hooking\n"
        "print(other is hooking, all(hasattr(hooking, n) for n in ('hooks', 'io', 'json', 'minidom', 'os', 'sys')))"
    )
    assert (err, out) == ("", "True True\n")


@pytest.mark.parametrize("document", ["", "<a>", "no xml"])
def test_a_document_that_is_none_raises_the_parsers_own_error(ask, document):
    code, out, _, _ = ask(
        "import hooking, xml.parsers.expat\n"
        "try: hooking.read_domxml()\n"
        "except xml.parsers.expat.ExpatError: print('expat')",
        document,
    )
    assert (code, out) == (0, "expat\n")


def test_reading_xml_at_a_json_event_is_a_key_error(ask):
    _, _, err, _ = ask("import hooking; os.environ.pop('_hook_domxml', None); hooking.read_domxml()")
    assert "KeyError: '_hook_domxml'" in err


def test_writing_no_document_empties_the_file_first(ask):
    code, _, err, left = ask("import hooking; hooking.write_domxml('text')", "<a/>")
    assert (code, left) == (1, "")
    assert "AttributeError" in err


def test_launch_flags_live_in_the_daemons_folder(ask, tmp_path):
    code = (
        "from hooking import dump_vm_launch_flags_to_file as dump, load_vm_launch_flags_from_file as load\n"
        "dump('V', 5); print(load('V')); print(load('W'))"
    )
    _, out, err, _ = ask(code, VIRGATE_RUN_DIR=str(tmp_path))
    assert (err, out) == ("", "5\n0\n")
    assert (tmp_path / "V/launchflags").read_text() == "5"


@pytest.mark.parametrize(("written", "read"), [(" 7 \nmore", "7"), ("", "ValueError"), ("0x1", "ValueError")])
def test_launch_flags_are_the_first_lines_integer(ask, tmp_path, written, read):
    (tmp_path / "V").mkdir()
    (tmp_path / "V/launchflags").write_text(written)
    code = "import hooking; print(hooking.load_vm_launch_flags_from_file('V'))"
    _, out, err, _ = ask(code, VIRGATE_RUN_DIR=str(tmp_path))
    assert read in out + err


def test_the_shims_have_what_shipped_scripts_ask_for(ask, tmp_path):
    (tmp_path / "conf").write_text("[vars]\nfake_kvm_support = yes\nfake_kvm_architecture = ppc64le\n")
    code, out, err, _ = ask(
        "from vdsm.config import config\n"
        "from vdsm.common import constants, cpuarch, fileutils, units\n"
        "from vdsm.common.cmdutils import CommandPath\n"
        "from vdsm import cpuinfo, osinfo, utils\n"
        "import vdsm.constants\n"
        "print(config.getboolean('vars', 'fake_kvm_support'), config.get('vars', 'fake_kvm_memory'))\n"
        "print(units.MiB, units.GiB, cpuarch.effective(), cpuarch.is_ppc(cpuarch.PPC64LE), cpuarch.is_x86('ppc64le'))\n"
        "print(constants.SYSCONF_PATH, constants.P_VDSM_RUN, vdsm.constants.P_VDSM_HOOKS.endswith('/'))\n"
        "print(CommandPath('sh', '/no/sh', '/bin/sh').cmd, utils.CommandPath('sh').cmd[-3:])\n"
        "print(isinstance(cpuinfo.flags(), list), osinfo.nested_virtualization().enabled in (True, False))\n"
        "fileutils.rm_file('/no/such/file')\n"
        "for wrong in (lambda: cpuarch.is_x86('pdp11'), lambda: CommandPath('sh', search_path=False).cmd):\n"
        "    try: wrong()\n"
        "    except (cpuarch.UnsupportedArchitecture, OSError) as error: print(type(error).__name__[:11])",
        VDSM_CONF=str(tmp_path / "conf"),
        VIRGATE_RUN_DIR="/run/somewhere",
    )
    assert (code, err) == (0, "")
    assert out.splitlines()[:5] == [
        "True 0",
        "1048576 1073741824 ppc64le True False",
        "/etc /run/somewhere/ True",
        "/bin/sh /sh",
        "True True",
    ]
    assert out.splitlines()[5:] in (["Unsupported", "FileNotFoun"], ["Unsupported", "OSError"])
