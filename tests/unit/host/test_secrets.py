"""Passwords of storage: what is taken, what libvirt gets, what is never shown."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.domxml.tree import parse
from virgate.node.host.secrets import BadSecret, Secret

GIVEN = {
    "uuid": "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01",
    "usageType": "ceph",
    "usageID": "ovirt/one",
    "password": base64.b64encode(b"s3cret").decode(),
}


def test_a_secret_is_private_ephemeral_and_without_its_value() -> None:
    secret = Secret.read(GIVEN | {"description": "of the <pool>"})
    root = parse(secret.xml)
    assert (root.get("private"), root.get("ephemeral")) == ("yes", "yes")
    assert root.findtext("usage/name") == "ovirt/one" and root.findtext("description") == "of the <pool>"
    assert secret.value == b"s3cret"
    assert "s3cret" not in repr(secret) and "s3cret" not in secret.xml


@pytest.mark.parametrize(("kind", "element"), [("ceph", "name"), ("iscsi", "target"), ("volume", "volume")])
def test_the_usage_id_stands_where_libvirt_looks_for_it(kind: str, element: str) -> None:
    assert parse(Secret.read(GIVEN | {"usageType": kind}).xml).findtext(f"usage/{element}") == "ovirt/one"


@pytest.mark.parametrize(
    "changes", [{"uuid": "x"}, {"usageType": "tls"}, {"usageID": ""}, {"usageID": None}, {"password": "§"}]
)
def test_a_wrong_request_is_told_without_the_password(changes: dict[str, Any]) -> None:
    with pytest.raises(BadSecret) as caught:
        Secret.read(GIVEN | changes)
    assert caught.value.code == 72 and GIVEN["password"] not in str(caught.value)


@given(st.dictionaries(st.sampled_from(list(GIVEN)), st.none() | st.integers() | st.text() | st.lists(st.text())))
def test_anything_is_a_secret_or_refused(given: dict[str, Any]) -> None:
    try:
        Secret.read(given)
    except BadSecret:
        pass
