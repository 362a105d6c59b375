import json

import pytest
from click.testing import CliRunner

from virgate.cli.pki import pki


@pytest.fixture
def run(tmp_path):
    def call(*arguments, code=0):
        found = CliRunner().invoke(pki, [*arguments, "--folder", str(tmp_path / "pki")])
        assert found.exit_code == code, found.output
        return found.output

    return call


def test_init_names_every_file_and_refuses_to_do_it_twice(run, tmp_path):
    output = run("init", "--name", "virt1.example.org")
    for name in ("ca.pem", "ca.key", "host.pem", "host.key", "client.pem", "client.key"):
        assert str(tmp_path / "pki" / name) in output
    assert "--force" in run("init", code=1)
    run("init", "--force")


def test_show_tells_names_and_age_to_people_and_programs(run):
    assert "virgate pki init" in run("show", code=1)
    run("init", "--name", "virt1.example.org")
    assert "virt1.example.org" in run("show")
    rows = json.loads(run("show", "--json"))
    assert [row["subject"].partition(",")[0] for row in rows][2] == "CN=admin"
    assert "virt1.example.org" in rows[1]["names"]


def test_issue_client_makes_a_folder_that_is_complete(run, tmp_path):
    assert "virgate pki init" in run("issue-client", "backup", code=1)
    run("init")
    folder = tmp_path / "pki/clients/backup"
    assert str(folder) in run("issue-client", "backup")
    assert sorted(path.name for path in folder.iterdir()) == ["ca.pem", "client.key", "client.pem"]
    assert "cannot name" in run("issue-client", "../x", code=1)


def test_a_host_name_that_no_certificate_can_carry_is_refused_before_anything_is_made(run, tmp_path):
    assert "cannot name" in run("init", "--name", "größe", code=1)
    assert not (tmp_path / "pki").exists()
