"""The daemon as a process: settings, signals, one per folder, the service manager, its log."""

import os
import signal
import socket
import subprocess
import tempfile
import time

import pytest
from lab.virgated import AS_NOBODY, BIN


def once(argv):
    return subprocess.run(argv, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("daemon.state_dri=/x", "--set: [daemon] has no key state_dri, did you mean state_dir?"),
        ("xmlrpc.port=none", "--set: [xmlrpc] port = 'none': expected an integer"),
        ("hoks.timeout=1", "--set: there is no section [hoks], did you mean hooks?"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(virgated, wrong, said):
    done = once(virgated().argv(f"--set={wrong}"))
    assert done.returncode == 2
    assert done.stderr == f"virgated: {said}\n"


def test_dump_config_prints_every_value_with_its_origin_and_reads_back(virgated, tmp_path):
    dump = once(virgated().argv("--dump-config")).stdout
    assert f'state_dir = "{tmp_path}/state"  # --set' in dump
    assert "timeout = 60.0  # default" in dump
    (tmp_path / "dumped.toml").write_text(dump)
    again = once([virgated().argv()[0], "--config", str(tmp_path / "dumped.toml"), "--dump-config"]).stdout
    assert f'state_dir = "{tmp_path}/state"  # {tmp_path}/dumped.toml' in again


def test_a_second_daemon_on_the_same_state_folder_refuses_to_start(virgated):
    running = virgated().start()
    second = once(running.argv())
    assert second.returncode == 1
    assert f"another virgated (pid {running.process.pid}) uses" in second.stderr


def test_sigterm_stops_it_cleanly_and_it_starts_again(virgated):
    running = virgated().start()
    assert running.end() == 0
    assert "msg=stopped" in running.log.read_text()
    assert running.start().end() == 0


def test_the_service_manager_hears_ready_and_stopping(virgated, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        running = virgated(NOTIFY_SOCKET=str(tmp_path / "notify")).start()
        assert b"READY=1" in manager.recv(1000)
        running.end()
        assert b"STOPPING=1" in manager.recv(1000)


def test_sighup_reloads_what_can_be_reloaded_and_names_what_waits(virgated, tmp_path):
    config = tmp_path / "virgate.toml"
    config.write_text("[daemon]\nlog_level = 'info'\n")
    running = virgated().start("--config", str(config))
    config.write_text("[daemon]\nlog_level = 'debug'\n[machines]\nparallel_starts = 9\n")
    running.process.send_signal(signal.SIGHUP)
    running.until(lambda: "settings reloaded" in running.log.read_text(), "it has reloaded")
    assert "machines.parallel_starts changed; it takes effect when the daemon is restarted" in running.log.read_text()
    config.write_text("[daemon]\nlog_levl = 'debug'\n")
    running.process.send_signal(signal.SIGHUP)
    running.until(lambda: "settings stay as they were" in running.log.read_text(), "it has refused")
    assert running.api.ping()["status"]["code"] == 0


def test_each_call_is_one_line_with_flow_verb_duration_and_code(virgated):
    running = virgated().start()
    running.api.destroy("5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01")
    (line,) = [line for line in running.log.read_text().splitlines() if "verb=destroy" in line]
    assert " code=1 " in f"{line} "
    assert "seconds=" in line
    assert "flow=" in line


def test_the_engine_role_says_that_it_is_not_built(virgated):
    done = once(virgated().argv("--set=daemon.roles=engine"))
    assert done.returncode == 1
    assert "the engine role is not built yet" in done.stderr


def test_it_starts_when_libvirt_is_away_and_says_that_it_is_not_ready(virgated):
    running = virgated().start("--set=libvirt.uri=qemu+unix:///system?socket=/nowhere/libvirt-sock", code=99)
    assert running.api.getAllTasks()["status"]["code"] == 0, "storage does not wait for machines"
    running.until(lambda: "/nowhere/libvirt-sock" in running.log.read_text(), "it says where libvirt was looked for")
    assert running.end() == 0


def test_without_any_setting_a_user_gets_folders_of_his_own():
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        os.chmod(home, 0o777)
        done = subprocess.run(
            [*AS_NOBODY, str(BIN / "virgated"), "--dump-config"],
            env={"HOME": home, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
        )
    assert f'state_dir = "{home}/.local/state/virgate"  # default' in done.stdout, done.stderr
    assert 'uri = "qemu:///session"  # default' in done.stdout


def test_start_to_first_answer_is_quick(virgated):
    running = virgated()
    begun = time.monotonic()
    running.start()
    # The bench measures this; here only a hang or a blocking connection would show.
    assert time.monotonic() - begun < 10
