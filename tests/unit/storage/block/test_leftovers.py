"""What is removed of a group that is gone: its own devices, and nobody else's."""

from hypothesis import given
from hypothesis import strategies as st

from virgate.node.storage.block.leftovers import of_group

SD = "3e7a1c52-9d40-4b7e-8f21-6a5b0c1d2e3f"
MAPPED = SD.replace("-", "--")
LISTING = f"""\
{MAPPED}-ids|LVM-aaaa|1
{MAPPED}-5f1e0a52--7c1d--4f0e--9d5b--0c9d8a3e2001|LVM-aaab|0
{MAPPED}--more-root|LVM-bbbb|0
x{MAPPED}-ids|LVM-cccc|0
{MAPPED}-crypt|CRYPT-LUKS2-dddd|0
{MAPPED.replace("3e7a", "3e7b")}-ids|LVM-eeee|0
36001405aa|mpath-36001405aa|6
"""


def test_devices_of_other_groups_and_of_other_makers_are_left_alone():
    assert of_group(LISTING, SD) == {
        f"{MAPPED}-ids": True,
        f"{MAPPED}-5f1e0a52--7c1d--4f0e--9d5b--0c9d8a3e2001": False,
    }


@given(st.text())
def test_whatever_is_listed_only_names_of_the_group_are_found(listing):
    assert all(name.startswith(f"{MAPPED}-") for name in of_group(listing, SD))


@given(st.uuids(), st.uuids(), st.text("ab-+._", min_size=1).filter(lambda name: not name.startswith("-")))
def test_a_volume_belongs_to_one_group_only(one, other, volume):
    name = f"{str(one).replace('-', '--')}-{volume.replace('-', '--')}"
    assert of_group(f"{name}|LVM-x|0", str(one)) == {name: False}
    assert of_group(f"{name}|LVM-x|0", str(other)) == ({} if other != one else {name: False})
