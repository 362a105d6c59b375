"""What our domains say of themselves, byte for byte (vectors C-02 to C-04 of spec storage-format)."""

import hashlib

import pytest_twisted
from contract.storage.room import POOL, uuid

from virgate.node.storage.domains.record import new_record
from virgate.node.storage.formats.domain_metadata import checksum
from virgate.node.storage.values import Class

SD = "3e7a1c52-9d40-4b7e-8f21-6a5b0c1d2e3f"
REMOTE = "server.example:/export/data"


def test_c02_a_fresh_domain_of_version_5():
    data = new_record(SD, "data1", "NFS", Class.Data, 5, REMOTE).encoded()
    assert len(data) == 327
    assert hashlib.sha256(data).hexdigest() == "ef275c00cf46f160bde093711575b7f21ec9e4f72303a28342d93bf443573b72"


def test_c03_older_versions_and_other_words():
    old = new_record(SD, "data1", "NFS", Class.Data, 4, REMOTE)
    assert checksum(old.values) == "fc558b033a669e3116e74bd6a8d2e18f4da8afa7"
    local = new_record(SD, "café א", "LOCALFS", Class.Data, 5, "/data/images").changed({"BLOCK_SIZE": 4096})
    assert checksum(local.values) == "208ef3e4aa2440a96bdce4d78bb1444416e8cda8"


@pytest_twisted.ensureDeferred
async def test_c04_a_new_pool_adds_these_keys_to_its_master(room):
    await room.domain()
    metadata = room.base / "dom1" / uuid(2) / "dom_md" / "metadata"
    before = metadata.read_text().splitlines()
    await room.ask("createStoragePool", 0, POOL, "dc1", uuid(2), [uuid(2)], 1, "ON", 5, 60, 10, 3)
    after = metadata.read_text().splitlines()
    assert sorted(line for line in set(after) - set(before) if not line.startswith("_SHA")) == [
        "MASTER_VERSION=1",
        "POOL_DESCRIPTION=dc1",
        f"POOL_DOMAINS={uuid(2)}:Active",
        "POOL_SPM_ID=-1",
        "POOL_SPM_LVER=-1",
        f"POOL_UUID={POOL}",
        "ROLE=Master",
    ]
    assert "LOCKPOLICY=" in after


@pytest_twisted.ensureDeferred
async def test_a_local_domain_has_the_tree_of_the_format(room):
    await room.domain()
    root = room.base / "dom1" / uuid(2)
    sizes = {str(path.relative_to(root)): path.stat().st_size for path in root.rglob("*") if path.is_file()}
    sizes.pop("dom_md/metadata")
    mailbox = 16 << 20
    assert sizes == {"dom_md/ids": 0, "dom_md/leases": 0, "dom_md/inbox": mailbox, "dom_md/outbox": mailbox}
    assert sorted(path.name for path in root.iterdir()) == ["dom_md", "images"]
    link = room.base / "data-center" / "mnt" / str(room.base / "dom1").replace("_", "__").replace("/", "_")
    assert link.is_symlink() and link.resolve() == room.base / "dom1"
