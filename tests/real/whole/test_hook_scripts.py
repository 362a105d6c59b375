"""Hook scripts that behave badly in a running daemon: one clear error, and nothing is left of the machine."""

import base64
import os

import pytest
from real.whole.house import PYTHON, SHELL

PAYLOAD = {
    "type": "disk",
    "device": "cdrom",
    "iface": "ide",
    "specParams": {"vmPayload": {"volId": "config", "file": {"note": base64.b64encode(b"hello").decode()}}},
}


def everything(house):
    """Devices that leave something on the host while a machine starts: a prepared image, a payload."""
    return [{"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", **house.make_volume()}, PAYLOAD]


def goes_down(house, said, **params):
    """Creates a machine and sees it fail for this reason; nothing of it is left."""
    vm = house.create(devices=everything(house), launchPaused=True, **params)
    stats = house.failed(vm)
    assert said in stats["exitMessage"]
    assert (stats["exitCode"], stats["exitReason"]) == (1, 1)
    nothing_is_left(house, vm)
    return stats["exitMessage"]


def nothing_is_left(house, vm):
    assert house.left_behind(vm) == []
    assert house.prepared() == []
    house.ask("destroy", vm)
    assert vm not in house.defined()


@pytest.mark.parametrize("code", [1, 2, 3])
def test_a_script_that_fails_takes_the_machine_down_with_its_own_words(house, code):
    house.script("before_vm_start", f"{SHELL}echo it must not be >&2\nexit {code}\n")
    assert goes_down(house, "it must not be") == "Hook Error: it must not be"


def test_exit_code_1_lets_the_next_script_run_and_2_does_not(house, tmp_path):
    house.script("before_vm_start", f"{SHELL}echo first >&2; exit 1", "10_first")
    house.script("before_vm_start", f"{SHELL}touch {tmp_path}/second; echo second >&2; exit 2", "20_second")
    house.script("before_vm_start", f"{SHELL}touch {tmp_path}/third", "30_third")
    assert goes_down(house, "second") == "Hook Error: second"
    assert os.listdir(tmp_path) == ["second"]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_script_that_hangs_is_killed_with_all_it_started_and_others_go_on_meanwhile(own, tmp_path):
    own.start("--set=hooks.timeout=1.5")
    own.make_pool()
    pids = tmp_path / "pids"
    begins = f"{SHELL}[ $slow ] || exit 0\ntrap '' TERM\necho $$ >>{pids}\n"
    own.script("before_vm_start", f"{begins}sleep 600 &\necho $! >>{pids}\nwait; sleep 600\n")
    vm = own.create(devices=everything(own), launchPaused=True, custom={"slow": "1"})
    own.until(lambda: pids.exists() and len(pids.read_text().split()) == 2, "the script hangs")
    other = own.up()
    assert own.stats(vm)["status"] == "WaitForLaunch"
    stats = own.failed(vm)
    assert "50_test did not end within 1.5 s and was killed with everything it started" in stats["exitMessage"]
    own.until(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()), "its processes are gone")
    nothing_is_left(own, vm)
    assert own.state(other) == "running"


def test_destroy_does_not_wait_for_a_script_that_hangs(house, tmp_path):
    house.script("before_vm_start", f"{SHELL}echo $$ >{tmp_path}/pid\nexec sleep 600\n")
    vm = house.create(devices=everything(house))
    house.until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "the script hangs")
    house.ask("destroy", vm)
    assert not alive(int((tmp_path / "pid").read_text()))
    assert (house.left_behind(vm), house.prepared()) == ([], [])


FLOOD = (
    "import sys\nfor stream in (sys.stdout, sys.stderr):\n    stream.write('flood ' * 4_000_000)\n    stream.flush()\n"
)


def test_megabytes_of_output_stop_nothing(house):
    house.script("before_vm_start", PYTHON + FLOOD)
    vm = house.up()
    assert house.state(vm) == "running"
    assert max(len(line) for line in house.log.read_text().splitlines()) < 200_000


def test_megabytes_of_complaint_become_a_message_of_sane_size(house):
    house.script("before_vm_start", f"{PYTHON}{FLOOD}sys.exit('the end')\n")
    assert len(goes_down(house, "the end")) < 10_000


DAMAGE = {
    "deleted": ("rm $_hook_domxml", "the scripts left no document"),
    "emptied": (": >$_hook_domxml", "malformed XML"),
    "no XML": ("echo this is no XML >$_hook_domxml", "malformed XML"),
    "cut": ("head -c 100 $_hook_domxml >$_hook_domxml.new; mv $_hook_domxml.new $_hook_domxml", "malformed XML"),
    "no text": (r"printf '<domain>\377\376</domain>' >$_hook_domxml", ""),
    "an entity": (
        "printf '<!DOCTYPE d [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><domain>&x;</domain>' >$_hook_domxml",
        "entity",
    ),
    "another's": ("sed -i 's/<uuid>......../<uuid>00000000/' $_hook_domxml", "another uuid"),
    "a fifo": ("rm $_hook_domxml; mkfifo $_hook_domxml", ""),
    "a folder": ("rm $_hook_domxml; mkdir $_hook_domxml", ""),
}


@pytest.mark.parametrize(("does", "said"), DAMAGE.values(), ids=DAMAGE)
def test_a_script_that_damages_the_definition_takes_the_machine_down(house, does, said):
    house.script("before_vm_start", f"{SHELL}{does}\n")
    message = goes_down(house, said)
    assert message and "Traceback" not in message and "root:" not in message


def test_what_libvirt_refuses_is_told_in_its_words(house):
    house.script("before_vm_start", f"{SHELL}sed -i 's/<vcpu[^>]*>.*<.vcpu>/<vcpu>many<\\/vcpu>/' $_hook_domxml\n")
    goes_down(house, "vcpu")


def test_a_damaged_document_after_the_start_is_only_logged(house):
    house.script("after_vm_start", f"{SHELL}rm $_hook_domxml\n")
    house.script("after_vm_pause", f"{SHELL}echo nonsense >$_hook_domxml; exit 1\n")
    vm = house.up()
    house.ask("pause", vm)
    house.until(lambda: house.told("after_vm_pause", vm) or house.told("after_vm_pause"), "the script has run")
    house.ask("cont", vm)
    assert house.state(vm) == "running"


def test_a_device_script_that_writes_nonsense_takes_the_machine_down(house):
    house.script("before_device_create", f"{SHELL}echo nonsense >$_hook_domxml\n")
    vm = house.create(devices=[{"type": "console", "device": "console", "custom": {"a": "b"}}, *everything(house)])
    assert "malformed XML" in house.failed(vm)["exitMessage"]
    nothing_is_left(house, vm)


def test_a_script_that_is_no_program_is_told_with_its_path(house):
    path = house.script("before_vm_start", "#!/nowhere/interpreter\n")
    goes_down(house, f"{path} cannot be run: no interpreter or no file")


def test_scripts_that_spoil_answers_do_not_stop_them(house):
    for point in ("after_get_caps", "after_get_stats", "after_get_all_vm_stats", "after_get_vm_stats"):
        house.script(point, f"{SHELL}echo '[[' >$_hook_json\n")
    vm = house.up()
    assert house.stats(vm)["vmId"] == vm
    assert house.ask("getAllVmStats")["statsList"][0]["vmId"] == vm
    assert house.ask("getVdsCapabilities")["info"]["vmTypes"] == ["kvm"]
    assert "cpuLoad" in house.ask("getVdsStats")["info"]


def test_scripts_that_forbid_an_answer_give_the_code_of_the_old_api(house):
    vm = house.up()
    for point in ("before_get_caps", "before_get_stats", "before_get_all_vm_stats", "before_get_vm_stats"):
        house.script(point, f"{SHELL}echo not now >&2; exit 1\n")
    told = [house.call(verb)["status"] for verb in ("getVdsCapabilities", "getVdsStats", "getAllVmStats")]
    assert told == [{"code": 1500, "message": "Hook Error: not now"}] * 3
    assert house.call("getVmStats", vm)["status"] == {"code": 78, "message": "Hook error: Hook Error: not now"}
    house.no_scripts()


TITLE = """
import os
import hooking

if text := os.environ.get("title"):
    domain = hooking.read_domxml()
    title = domain.createElement("title")
    title.appendChild(domain.createTextNode(text))
    domain.documentElement.appendChild(title)
    hooking.write_domxml(domain)
"""


def test_a_custom_property_lets_a_script_change_the_definition(house):
    house.script("before_vm_start", PYTHON + TITLE)
    titled, plain = house.up(custom={"title": 'größer & "bunter"; $HOME'}), house.up()
    assert "<title>größer &amp; &quot;bunter&quot;; $HOME" in house.xml(titled)
    assert "<title>" not in house.xml(plain)


def test_launch_flags_that_a_script_writes_are_used(house):
    flags = house.home / "run"
    house.script(
        "before_vm_start", f"{SHELL}[ $(cat {flags}/$vmId/launchflags) = 0 ]; echo 1 >{flags}/$vmId/launchflags\n"
    )
    vm = house.create()
    house.until_status(vm, "Paused")
    assert house.state(vm) == "paused"
    assert house.left_behind(vm) == []


def test_a_script_may_call_the_daemon_that_waits_for_it(house):
    call = f"import os, xmlrpc.client as x\nx.ServerProxy('http://127.0.0.1:{house.port}/').pause(os.environ['vmId'])\n"
    house.script("after_vm_start", PYTHON + call)
    vm = house.create()
    house.until_status(vm, "Paused")
    assert house.state(vm) == "paused"


DEVICE = """
import os
import hooking

device = hooking.read_domxml()
root = device.documentElement
if root.tagName == "interface":
    root.setAttribute("type", "user")  # no bridge is needed on the test's host
    root.removeChild(root.getElementsByTagName("source")[0])
    model = root.getElementsByTagName("model")[0]
    model.setAttribute("type", os.environ["model"])
elif root.tagName == "disk":
    serial = root.getElementsByTagName("driver")[0]
    serial.setAttribute("discard", os.environ["discard"])
else:
    log = device.createElement("log")
    log.setAttribute("file", os.environ["log"])
    root.appendChild(log)
hooking.write_domxml(device)
"""


def test_each_device_with_properties_is_given_to_its_scripts_with_the_machine_s_own_winning(house, tmp_path):
    house.script("before_device_create", PYTHON + DEVICE)
    seen = tmp_path / "seen"
    for point in ("after_device_create", "before_device_destroy", "after_device_destroy"):
        house.script(point, f"{SHELL}echo {point} $(grep -o '^<[a-z]*' $_hook_domxml | head -1) >>{seen}\n")
    console, log = {"type": "console", "device": "console"}, tmp_path / "log"
    nic = {"type": "interface", "device": "bridge", "nicModel": "pv", "macAddr": "52:54:00:00:00:01", "network": ""}
    disk = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", **house.make_volume()}
    vm = house.up(
        custom={"discard": "unmap"},
        devices=[
            {**console, "custom": {"log": str(log)}},
            {**nic, "custom": {"model": "e1000e"}},
            {**disk, "custom": {"discard": "ignore"}},
        ],
    )
    document = house.xml(vm)
    assert document.count("<model type='e1000e'/>") == 1
    assert "discard='unmap'" in document
    assert f"<log file='{log}'" in document
    house.ask("destroy", vm)
    words = [line.split() for line in seen.read_text().splitlines()]
    for point in ("after_device_create", "before_device_destroy", "after_device_destroy"):
        assert sorted(kind for where, kind in words if where == point) == ["<console", "<disk", "<interface"]
