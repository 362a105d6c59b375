"""The command line and a daemon that asks for certificates."""

import subprocess

import pytest
from lab.virgated import Running


@pytest.fixture
def encrypted(tmp_path):
    """A daemon with keys of its own below state/pki."""
    running = Running(tmp_path)
    assert running.virgate("pki", "init", "--folder", str(tmp_path / "state/pki")).returncode == 0
    with (tmp_path / "stderr").open("ab") as errors:
        running.process = subprocess.Popen(running.argv("--set=xmlrpc.tls=true"), stderr=errors)
    yield running
    running.end()


def test_a_client_with_keys_is_served_and_others_are_told_what_is_missing(encrypted, tmp_path):
    served = encrypted.virgate("--tls", "--pki", str(tmp_path / "state/pki"), "host", "ping", "--wait", "20")
    assert served.returncode == 0, served.stderr + encrypted.said()
    plain = encrypted.virgate("--no-tls", "host", "ping")
    assert (plain.returncode, "--tls tries" in plain.stderr) == (1, True), plain.stderr
    encrypted.virgate("pki", "init", "--folder", str(tmp_path / "other"))
    stranger = encrypted.virgate("--tls", "--pki", str(tmp_path / "other"), "host", "ping")
    assert (stranger.returncode, "virgate pki show" in stranger.stderr) == (1, True), stranger.stderr
