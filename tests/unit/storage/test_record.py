"""Domain metadata with their meaning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.hookspecs.leases import LeaseParameters
from virgate.node.storage.domains.record import DomainRecord, new_record, written_domains
from virgate.node.storage.errors import UnsupportedVersion
from virgate.node.storage.formats.errors import InvalidMetadata, MetadataKeyMissing, SealBroken
from virgate.node.storage.values import Class, Status

SD, SP = "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e2001", "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e1001"


def record(**changes):
    made = new_record(SD, "data1", "LOCALFS", Class.Data, 5, "/srv/dom1")
    return made.changed(changes)


def test_a_new_domain_is_in_no_pool_and_no_master():
    made = DomainRecord.decoded(record().encoded())
    assert (made.id, made.version, made.type, made.domain_class) == (SD, 5, "LOCALFS", Class.Data)
    assert (made.pools, made.role, made.is_master, made.remote) == ((), "Regular", False, "/srv/dom1")
    assert (made.block_size, made.alignment) == (512, 1 << 20)
    assert made.lease_parameters == LeaseParameters(5, 60, 10, 3)


def test_an_old_domain_has_no_keys_of_new_ones():
    made = new_record(SD, "data1", "LOCALFS", Class.Data, 3, "/srv/dom1")
    assert "BLOCK_SIZE" not in made.values and "ALIGNMENT" not in made.values
    assert (made.block_size, made.alignment) == (512, 1 << 20)


@given(st.dictionaries(st.sampled_from(["X", "Y", "PV7"]), st.text("abc =", max_size=5)))
def test_keys_nobody_knows_survive_a_change(unknown):
    unknown = {key: value.strip() for key, value in unknown.items()}
    made = DomainRecord.decoded(record(**unknown).changed({"ROLE": "Master"}).encoded())
    assert {key: made.values[key] for key in unknown} == unknown
    assert made.is_master


def test_a_change_to_none_drops_the_key():
    assert "LOCKPOLICY" not in record(LOCKPOLICY=None).values


def test_what_a_master_keeps_for_its_pool():
    domains = {SD: Status.ACTIVE, SP: Status.ATTACHED}
    made = record(
        POOL_DOMAINS=written_domains(domains), POOL_DESCRIPTION="dc1", POOL_SPM_ID=7, POOL_SPM_LVER=3, MASTER_VERSION=2
    )
    assert made.pool_domains == domains
    assert (made.pool_name, made.spm_id, made.spm_version, made.master_version) == ("dc1", 7, 3, 2)


def test_a_domain_that_is_no_master_has_no_spm():
    assert (record().spm_id, record().spm_version, record().pool_domains) == (-1, -1, {})


def test_stored_statuses_are_read_as_old_hosts_wrote_them():
    made = record(POOL_DOMAINS=f"'{SD}:active','{SP}:Inactive',x:odd,broken")
    assert made.pool_domains == {SD: Status.ACTIVE, SP: Status.ATTACHED, "x": Status.UNKNOWN}


def test_a_blank_pool_counts_as_none():
    assert record(POOL_UUID="00000000-0000-0000-0000-000000000000").pools == ()
    assert record(POOL_UUID=f"{SP}, {SD}").pools == (SP, SD)


def test_an_unreadable_time_is_the_default():
    assert record(LEASETIMESEC="soon").lease_parameters.lease == 60


@pytest.mark.parametrize("key", ["VERSION", "SDUUID", "TYPE", "CLASS"])
def test_a_domain_without_its_main_keys_is_refused(key):
    with pytest.raises(MetadataKeyMissing):
        DomainRecord.decoded(record(**{key: None}).encoded())


def test_values_that_mean_nothing_are_refused():
    with pytest.raises(InvalidMetadata):
        DomainRecord.decoded(record(VERSION="five").encoded())
    with pytest.raises(UnsupportedVersion):
        DomainRecord.decoded(record(VERSION=1).encoded())
    with pytest.raises(InvalidMetadata):
        DomainRecord.decoded(record(CLASS="Data2").encoded())


def test_a_cut_file_is_noticed():
    with pytest.raises((SealBroken, MetadataKeyMissing)):
        DomainRecord.decoded(record().encoded().replace(b"data1", b"data"))
