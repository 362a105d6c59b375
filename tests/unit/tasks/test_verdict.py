"""Which code a failed job leaves behind."""

import pytest

from virgate.errors import InvalidParameter, Unexpected
from virgate.node.storage.formats.errors import MetadataOverflow
from virgate.node.tasks.errors import LockTimeout
from virgate.node.tasks.verdict import verdict


def test_storage_errors_keep_their_code_and_text():
    assert verdict(MetadataOverflow(600, 512)) == (756, "Metadata needs 600 bytes, there is room for 512")


@pytest.mark.parametrize("problem", [InvalidParameter("size", "x"), LockTimeout("00_storage.a", 120.0)])
def test_codes_that_old_hosts_lose_become_100(problem):
    assert verdict(problem) == (100, str(problem))


def test_codes_outside_the_storage_family_become_100():
    assert verdict(Unexpected("a defect")) == (100, "Unexpected exception: a defect")


def test_foreign_exceptions_become_100_and_name_their_class():
    assert verdict(ZeroDivisionError("by zero")) == (100, "ZeroDivisionError: by zero")


def test_every_code_is_kept_when_the_setting_says_so():
    assert verdict(InvalidParameter("size", "x"), keep_codes=True)[0] == 1000
    assert verdict(ValueError("x"), keep_codes=True)[0] == 100
