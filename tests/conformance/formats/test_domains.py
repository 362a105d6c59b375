"""Vectors C-01 to C-05: mount names, domain metadata, tags."""

from hashlib import sha1, sha256

import pytest

from virgate.node.storage.formats import domain_metadata, layout, mount_name, physical_volumes
from virgate.node.storage.formats.physical_volumes import PhysicalVolume


@pytest.mark.parametrize(
    ("remote", "name"),
    [
        ("server.example:/export/data", "server.example:_export_data"),
        ("server.example:/export/my_vol/d1/", "server.example:_export_my__vol_d1"),
        ("10.0.0.5:/a//b/../c", "10.0.0.5:_a_c"),
        ("[2001:db8::1]:/exp", "[2001:db8::1]:_exp"),
        ("server:/", "server:_"),
        ("//data//x_y", "_data_x__y"),
        ("mon1:6789:/cephfs/", "mon1:6789:_cephfs"),
        ("/dev/sdb1", "_dev_sdb1"),
        ("srv:/a_b/c", "srv:_a__b_c"),
    ],
)
def test_c01_mount_names(remote, name):
    assert mount_name.directory_name(remote) == name


LEASE_KEYS = {"IOOPTIMEOUTSEC": 10, "LEASERETRIES": 3, "LEASETIMESEC": 60, "LOCKRENEWALINTERVALSEC": 5}
GEOMETRY = {"ALIGNMENT": 1048576, "BLOCK_SIZE": 512}


@pytest.fixture
def fresh(names):
    """The keys of a V5 NFS domain that was just created."""
    return {
        **GEOMETRY,
        **LEASE_KEYS,
        "CLASS": "Data",
        "DESCRIPTION": "data1",
        "LOCKPOLICY": "",
        "POOL_UUID": "",
        "REMOTE_PATH": "server.example:/export/data",
        "ROLE": "Regular",
        "SDUUID": names.sd,
        "TYPE": "NFS",
        "VERSION": 5,
    }


@pytest.fixture
def pool(names):
    return {
        "MASTER_VERSION": 1,
        "POOL_DESCRIPTION": "dc1",
        "POOL_DOMAINS": f"{names.sd2}:Active",
        "POOL_SPM_ID": -1,
        "POOL_SPM_LVER": -1,
    }


def old(values):
    return {key: value for key, value in values.items() if key not in GEOMETRY}


def seal(values):
    return domain_metadata.lines(values)[-1].removeprefix("_SHA_CKSUM=")


def test_c02_a_fresh_domain_byte_for_byte(fresh):
    data = domain_metadata.encode(fresh)
    assert data.endswith(b"VERSION=5\n_SHA_CKSUM=f41ac92055228febab5982b7b6f389ac633d087a\n")
    assert data.startswith(b"ALIGNMENT=1048576\nBLOCK_SIZE=512\nCLASS=Data\n")
    assert len(data) == 327
    assert sha256(data).hexdigest() == "ef275c00cf46f160bde093711575b7f21ec9e4f72303a28342d93bf443573b72"


def test_c03_seals(fresh, names):
    master = fresh | {"POOL_UUID": names.sp, "ROLE": "Master"}
    assert seal(master) == "4475e7123e897e76fa6086080c1469c8491cf00f"
    assert seal(old(fresh) | {"VERSION": 4}) == "fc558b033a669e3116e74bd6a8d2e18f4da8afa7"
    local = {"TYPE": "LOCALFS", "BLOCK_SIZE": 4096, "DESCRIPTION": "café א", "REMOTE_PATH": "/data/images"}
    assert seal(fresh | local) == "208ef3e4aa2440a96bdce4d78bb1444416e8cda8"


def test_c03_checksum_primitives():
    assert domain_metadata.checksum({"A": "1", "B": "2"}) == "427b9406ba3a6c76b80bb671a9e40b8326143378"
    assert domain_metadata.checksum({"A": "1", "B": "2"}) == sha1(b"A=1B=2").hexdigest()
    assert domain_metadata.checksum({"D": "café"}) == "e75c09e4f24024e6a3ab62eb113a7a8d9bcdf2f5"
    assert domain_metadata.checksum({"D": "café"}) == sha1(b"D=caf&#233;").hexdigest()


def test_c04_a_master_right_after_pool_creation(fresh, pool, names):
    master = fresh | pool | {"SDUUID": names.sd2, "ROLE": "Master", "POOL_UUID": names.sp}
    assert seal(master) == "2351e403c50f9b20dbd219496a9610894e53939a"
    assert seal(old(master) | {"VERSION": 4}) == "43024c441011a55bcd9f2e1c79056875a3ab0e7a"


def test_c04_a_master_of_version_0_with_an_spm(fresh, pool, names):
    master = old(fresh | pool) | {"ROLE": "Master", "POOL_UUID": names.sp, "VERSION": 0}
    master["POOL_DOMAINS"] = f"{names.sd}:Active"
    assert seal(master | {"POOL_SPM_ID": 1, "POOL_SPM_LVER": 0}) == "91d9144f23c3bdf111099941b7b686962ed158a7"
    assert seal(master) == "5abb8328233136a1f9e058dd05f8b64868f7ceda"


PV0 = PhysicalVolume("36001405aabbccdd0000000000000001", "AbCdEf-1234-5678-9abc-DEFg-HIJK-LMNopq", 797)
PV1 = PhysicalVolume("36001405aabbccdd0000000000000002", "ZbCdEf-1234-5678-9abc-DEFg-HIJK-LMNopz", 397)


@pytest.fixture
def block(fresh):
    """The keys of a V5 iSCSI domain on two physical volumes."""
    values = {key: value for key, value in fresh.items() if key != "REMOTE_PATH"}
    values |= {"TYPE": "ISCSI", "DESCRIPTION": "block one", "VGUUID": "QqWwEe-aaaa-bbbb-cccc-dddd-eeee-RrTtYy"}
    return values | physical_volumes.encode(physical_volumes.refresh({}, [PV0, PV1]))


TAGS = """MDT_ALIGNMENT=1048576
MDT_BLOCK_SIZE=512
MDT_CLASS=Data
MDT_DESCRIPTION=block&32&one
MDT_IOOPTIMEOUTSEC=10
MDT_LEASERETRIES=3
MDT_LEASETIMESEC=60
MDT_LOCKPOLICY=
MDT_LOCKRENEWALINTERVALSEC=5
MDT_POOL_UUID=
MDT_PV0=pv:36001405aabbccdd0000000000000001&44&uuid:AbCdEf-1234-5678-9abc-DEFg-HIJK-LMNopq&44&pestart:0&44&pecount:797&44&mapoffset:0
MDT_PV1=pv:36001405aabbccdd0000000000000002&44&uuid:ZbCdEf-1234-5678-9abc-DEFg-HIJK-LMNopz&44&pestart:0&44&pecount:397&44&mapoffset:797
MDT_ROLE=Regular
MDT_SDUUID=3e7a1c52-9d40-4b7e-8f21-6a5b0c1d2e3f
MDT_TYPE=ISCSI
MDT_VERSION=5
MDT_VGUUID=QqWwEe-aaaa-bbbb-cccc-dddd-eeee-RrTtYy
MDT__SHA_CKSUM=81fae4b94c9ba33122e85a916d53da0859fe49bf"""


def test_c05_tags_of_a_block_domain(block):
    assert domain_metadata.encode_tags(block) == set(TAGS.splitlines())
    read = domain_metadata.decode_tags([*TAGS.splitlines(), "RHAT_storage_domain"])
    assert read == {key: str(value) for key, value in block.items()}
    assert [pv.first for pv in physical_volumes.decode(read).values()] == [0, 797]


def test_c05_tags_of_version_4_on_one_physical_volume(block):
    values = {key: value for key, value in old(block).items() if key != "PV1"}
    values |= {"TYPE": "FCP", "VERSION": 4, "LOGBLKSIZE": 512, "PHYBLKSIZE": 4096}
    assert seal(values) == "b27f52fbe2786ca62ec741b602b8a42d73190ade"


def test_c05_the_map_gives_volumes_of_version_0_their_slots(block):
    """Spec storage-format 2.5: the first extent of the volume on its device, and that device's `mapoffset`."""
    known = physical_volumes.decode({key: str(value) for key, value in block.items()})
    wanted = [(PV0, 4, 4), (PV0, 796, 796), (PV1, 0, 797), (PV1, 396, 1193), (PV0, 3, None), (PV1, 397, None)]
    assert [physical_volumes.slot(known, pv.uuid, pv.guid, extent) for pv, extent, _ in wanted] == [
        slot for _, _, slot in wanted
    ]
    assert layout.metadata_offset(797, 0) == 797 * 512


def test_c05_the_text_of_a_domain_of_version_0(block):
    """Spec storage-format 3.1: sealed as everywhere, in the first 2048 bytes; the slots begin behind it."""
    values = old(block) | {"VERSION": 0}
    text = domain_metadata.encode_v0_block(values)
    assert (len(text), text.rstrip(b"\0").decode().splitlines()[-1]) == (2048, f"_SHA_CKSUM={seal(values)}")
    assert domain_metadata.decode_v0_block(text) == {key: str(value) for key, value in values.items()}
    assert layout.metadata_offset(physical_volumes.FIRST_SLOT, 0) == 2048


@pytest.mark.parametrize(
    ("line", "tag"),
    [
        ("a b", "a&32&b"),
        ("x,y", "x&44&y"),
        ("a&b", "a&38&b"),
        ("&38&", "&38&38&38&"),
        ("café", "caf&233&"),
        ("א", "&1488&"),
        ("\U0001f600", "&128512&"),
        ("_+.-/=!:#", "_+.-/=!:#"),
    ],
)
def test_c05_tag_characters(line, tag):
    assert domain_metadata.encode_tag(line) == "MDT_" + tag
    assert domain_metadata.decode_tag("MDT_" + tag) == line
