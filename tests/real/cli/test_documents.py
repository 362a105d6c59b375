"""The manual is true: every block marked `tried` is run in its order, and what is made from declarations is current.

A document gets a host of its own: namespaces in which the daemon's usual folders are empty, nobody else listens on its
port, and the system's libvirt is a private one. So the commands are run as they are printed, with default settings.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.libvirtd import PLACES, PrivateLibvirtd
from lab.virgated import BIN

PROJECT = Path(__file__).parents[3]
DOCUMENTS = sorted([PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")])
FOLDERS = ("/var/lib/virgate", "/run/virgate", "/etc/virgate", "/srv")
BLOCK = re.compile(r"^```(sh|console) tried\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"^[#$] (.*)$", re.MULTILINE)


def blocks(document: Path) -> list[str]:
    found = BLOCK.findall(document.read_text(encoding="utf-8"))
    return ["\n".join(PROMPT.findall(text)) if kind == "console" else text for kind, text in found]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    """Shell lines that put us into the place of a host of our own."""
    made = [Path(folder) for folder in FOLDERS if not Path(folder).exists()]
    with tempfile.TemporaryDirectory(prefix="doc-") as root:
        binds = []
        for folder in FOLDERS:
            Path(folder).mkdir(parents=True, exist_ok=True)
            ours = Path(root, "files", folder.replace("/", "-").strip("-"))
            ours.mkdir(parents=True)
            binds.append(f"mount --bind {ours} {folder}")
        libvirt = Path(root, "libvirt")
        with PrivateLibvirtd(libvirt, extra="\n".join(binds)):
            theirs = [f"mount --bind {libvirt / name} {place}" for name, place in PLACES.items()]
            yield "\n".join([*binds, *theirs, "ip link set lo up"])
    for folder in made:
        folder.rmdir()


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Where an administrator would stand: in a checkout, with a downloaded image."""
    for name in ("hooks.d", "contrib", "docs"):
        (tmp_path / name).symlink_to(PROJECT / name)
    image = tmp_path / "debian-12-nocloud-amd64.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "64M"], check=True)
    return tmp_path


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if blocks(one)], ids=lambda one: one.name)
def test_the_commands_of_a_document_do_what_it_says(document, host, desk):
    script = "\n".join(
        ["set -e -o pipefail", "trap 'kill $(jobs -p) 2>/dev/null || :' EXIT", host, "set -x", *blocks(document)]
    )
    environment = {
        "PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin:/sbin",
        "HOME": str(desk),
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        ["unshare", "--mount", "--net", "bash", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        cwd=desk,
        env=environment,
    )
    assert done.returncode == 0, done.stdout[-5000:]


def test_the_documents_that_administrators_start_with_are_tried():
    tried = {one.name: len(blocks(one)) for one in DOCUMENTS}
    assert tried["README.md"]
    assert tried["admin.md"] >= 8


def test_the_reference_and_the_table_of_settings_are_current():
    argv = [sys.executable, str(PROJECT / "contrib" / "reference.py"), "--check"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_setting_of_the_dump_stands_in_the_manual():
    dump = subprocess.run([BIN / "virgated", "--dump-config"], capture_output=True, text=True, check=True).stdout
    manual = (PROJECT / "docs" / "admin.md").read_text(encoding="utf-8")
    for section in re.findall(r"^\[(\w+)\]", dump, re.MULTILINE):
        assert f"| **[{section}]** |" in manual
    for key in re.findall(r"^(\w+) = ", dump, re.MULTILINE):
        assert f"| `{key}` |" in manual


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.name)
def test_links_between_documents_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target
