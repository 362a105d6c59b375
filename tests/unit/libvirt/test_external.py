"""Connections to other hypervisors, on libvirt's own test driver, which can ask for a password."""

from pathlib import Path

import pytest

from virgate.libvirt.errors import HypervisorFailed
from virgate.libvirt.external import connected, machines, names

NODE = """<node>
<auth><user password='right'>me</user></auth>
<domain type='test'><name>one</name><uuid>0d7a5a9c-6f4a-4d2b-9c53-5f8f1f1f0001</uuid><memory>8192</memory>
  <os><type>hvm</type></os></domain>
<domain type='test'><name>two</name><uuid>0d7a5a9c-6f4a-4d2b-9c53-5f8f1f1f0002</uuid><memory>8192</memory>
  <os><type>hvm</type></os></domain>
</node>"""


@pytest.fixture
def uri(tmp_path: Path) -> str:
    (tmp_path / "node.xml").write_text(NODE)
    return f"test://{tmp_path}/node.xml"


def test_machines_are_seen_with_user_and_password(uri: str) -> None:
    assert names(uri, "me", "right") == ["one", "two"]
    found = machines(uri, "me", "right", lambda xml: [], None)
    assert sorted(seen.running for seen in found) == [True, True]
    (two,) = machines(uri, "me", "right", lambda xml: [], ["two"])
    assert "<name>two</name>" in two.xml and two.snapshots is False


def test_a_disk_that_cannot_be_read_has_no_size(uri: str) -> None:
    wanted = [("file", "/none", ""), ("volume", "v", "p"), ("file", "", "")]
    (seen,) = machines(uri, "me", "right", lambda xml: wanted, ["one"])
    assert seen.sizes == {}


@pytest.mark.parametrize(("user", "password"), [("me", "wrong-word"), ("other", "right-word")])
def test_a_wrong_password_is_an_error_without_it(uri: str, user: str, password: str) -> None:
    with pytest.raises(HypervisorFailed) as caught, connected(uri, user, password):
        pass
    assert password not in str(caught.value)
