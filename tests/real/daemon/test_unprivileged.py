"""Without any setting and without being root: folders of the user's own and his own libvirt, a machine that runs."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from lab.virgated import AS_NOBODY, BIN, NOBODY, free_port


@pytest.fixture
def home():
    """A home that is not root's; libvirt's daemons of that user are ended by the pids they wrote."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    (folder / "run").mkdir(mode=0o700)
    for path in (folder, folder / "run"):
        os.chown(path, NOBODY, NOBODY)
    yield folder
    for file in (folder / "run").rglob("*d.pid"):
        pid = int(file.read_text())
        if Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}").stat().st_uid == NOBODY:
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def test_a_user_runs_a_machine_of_his_own_with_no_setting_but_a_port(home):
    port = free_port()
    who = {
        "env": {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run"), "PATH": f"{os.environ['PATH']}:/usr/sbin"},
        "cwd": "/",
    }

    def virgate(*arguments):
        argv = [*AS_NOBODY, str(BIN / "virgate"), "--server", f"127.0.0.1:{port}", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, **who)

    with (home / "log").open("wb") as log:
        daemon = subprocess.Popen([*AS_NOBODY, str(BIN / "virgated"), f"--set=xmlrpc.port={port}"], stderr=log, **who)
    try:
        ends = time.monotonic() + 30
        while virgate("host", "ping").returncode and time.monotonic() < ends:
            time.sleep(0.1)
        made = virgate("vm", "create", "tiny", "--memory", "64")
        assert made.returncode == 0, made.stderr + (home / "log").read_text()
        assert " Up " in virgate("vm", "list").stdout
        assert virgate("vm", "destroy", "tiny").returncode == 0
        assert (home / ".local/state/virgate/virgated.lock").exists()
    finally:
        daemon.terminate()
        assert daemon.wait(30) == 0
