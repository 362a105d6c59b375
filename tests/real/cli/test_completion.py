"""The completion scripts, run by the shells that use them."""

import os
import subprocess
from pathlib import Path

import pytest
from lab.virgated import BIN

SCRIPTS = Path(__file__).parents[3] / "contrib" / "completion"
ASK = """
. "$0"
COMP_LINE=$1 COMP_POINT=${#1}
_virgate_completion virgate
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(line: str) -> list[str]:
    argv = ["bash", "--norc", "-c", ASK, str(SCRIPTS / "virgate.bash"), line]
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=60)
    return done.stdout.split()


@pytest.fixture(scope="module")
def mine(cheap, tmp_path_factory):
    file = tmp_path_factory.mktemp("completion") / "mine.json"
    file.write_text('{"vmName": "mine", "memSize": 64, "devices": []}')
    cheap.do("vm", "start-from", str(file))
    return f"virgate --server 127.0.0.1:{cheap.port}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("virgate sto", ["storage"]),
        ("virgate vm sh", ["show", "shutdown"]),
        ("virgate vm create x --me", ["--memory"]),
        ("virgate hooks try before_vm_sta", ["before_vm_start"]),
        ("virgate call getVmSta", ["getVmStats"]),
    ],
)
def test_bash_completes_commands_options_points_and_verbs(line, expected):
    assert completed(line) == expected


def test_bash_completes_machines_of_the_daemon_that_the_line_names(mine):
    assert completed(f"{mine} vm pause mi") == ["mine"]
    assert completed(f"{mine} vm pause ") == ["mine", "test"]


def test_bash_is_left_alone_when_nobody_answers():
    assert completed("virgate --server 127.0.0.1:1 vm pause ") == []


@pytest.mark.parametrize(("shell", "name"), [("bash", "virgate.bash"), ("zsh", "_virgate")])
def test_the_scripts_that_packages_install_are_the_current_ones(shell, name):
    printed = subprocess.run([BIN / "virgate", "completion", shell], capture_output=True, text=True, check=True).stdout
    assert (SCRIPTS / name).read_text() == printed
