"""What passes for an id."""

from virgate.ids import is_uuid


def test_uuids_are_lower_case():
    assert is_uuid("5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01")
    for other in (
        "5E0A6C3E-19c0-4d4f-9d5a-0c8b5a4a7f01",
        "",
        None,
        5,
        "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01\n",
        "../x",
    ):
        assert not is_uuid(other)
