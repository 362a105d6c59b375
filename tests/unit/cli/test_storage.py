"""What `virgate storage` asks of the daemon, and how it draws what it is told."""

import pytest

from virgate.cli.storage.drawing import tree

ZERO = "00000000-0000-0000-0000-000000000000"
DOMAIN, POOL, IMAGE = (f"5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e{kind}001" for kind in (2, 1, 3))
LUN = "36001405aa"


def info(parent=ZERO, role="LEAF", **more):
    told = {"format": "COW", "voltype": role, "capacity": "1073741824", "truesize": "196624", "status": "OK"}
    return {**told, "parent": parent, "description": "", **more}


def test_a_tree_shows_what_lies_upon_what():
    volumes = {
        "base": info(role="INTERNAL", format="RAW"),
        "middle": info("base", "INTERNAL"),
        "top": info("middle", description="disk", status="ILLEGAL"),
        "other": info("base", "INTERNAL"),
        "lost": info("gone"),
        "broken": {"status": "INVALID", "truesize": "0", "apparentsize": "0"},
    }
    assert list(tree("i", volumes)) == [
        "image i",
        "├─ base  raw  internal  192 KiB of 1 GiB",
        "│  ├─ middle  cow  internal  192 KiB of 1 GiB",
        "│  │  └─ top  cow  leaf  192 KiB of 1 GiB  ILLEGAL  disk",
        "│  └─ other  cow  internal  192 KiB of 1 GiB",
        "├─ broken  its metadata cannot be read",
        "└─ lost  cow  leaf  192 KiB of 1 GiB  its parent gone is missing",
    ]


def test_a_ring_is_drawn_without_end():
    volumes = {"a": info("b"), "b": info("a")}
    assert list(tree("i", {**volumes, "c": info()})) == ["image i", "└─ c  cow  leaf  192 KiB of 1 GiB"]


@pytest.fixture
def connected(daemon):
    daemon.answers["connectStorageServer"] = {"statuslist": [{"id": "1", "status": 0}]}
    return daemon


def asked(daemon):
    ((_, number, _, (keys,)),) = daemon.asked
    return number, {key: value for key, value in keys.items() if value and key != "id"}


@pytest.mark.parametrize(
    ("words", "number", "keys"),
    [
        (["/srv/dom"], 4, {"connection": "/srv/dom"}),
        (["nas:/exp"], 1, {"connection": "nas:/exp", "protocol_version": "auto"}),
        (
            ["nas:/exp", "--nfs-version", "4.1", "--timeout", "100", "--retrans", "2", "--mount-options", "ro"],
            1,
            {
                "connection": "nas:/exp",
                "protocol_version": "4.1",
                "timeout": "100",
                "retrans": "2",
                "mnt_options": "ro",
            },
        ),
        (
            ["/dev/sdb1", "--type", "posixfs", "--file-system", "xfs"],
            6,
            {"connection": "/dev/sdb1", "vfs_type": "xfs"},
        ),
        (["g1:/vol", "--type", "glusterfs"], 7, {"connection": "g1:/vol", "vfs_type": "glusterfs"}),
        (["x", "--type", "fcp"], 2, {"connection": "x"}),
        (["10.1.1.5", "--type", "iscsi", "--iqn", "i"], 3, {"connection": "10.1.1.5", "port": "3260", "iqn": "i"}),
        (["nas:3261", "--type", "iscsi", "--iqn", "i"], 3, {"connection": "nas", "port": "3261", "iqn": "i"}),
        (["[::1]:3261", "--type", "iscsi", "--iqn", "i"], 3, {"connection": "[::1]", "port": "3261", "iqn": "i"}),
        (["fd00::5", "--type", "iscsi", "--iqn", "i"], 3, {"connection": "fd00::5", "port": "3260", "iqn": "i"}),
    ],
)
def test_each_type_of_storage_gets_its_own_keys(connected, run, words, number, keys):
    run("storage", "server", "connect", *words)
    assert asked(connected) == (number, keys)


def test_a_chap_password_comes_from_a_file_and_is_not_printed(connected, run, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s3cret-words\n")
    words = ("--type", "iscsi", "--iqn", "i", "--user", "u", "--password-file", str(secret))
    done = run("storage", "server", "connect", "nas", *words)
    assert asked(connected)[1]["password"] == "s3cret-words"
    assert "s3cret" not in done.output + done.stderr


def test_a_target_without_name_is_refused_before_anybody_is_asked(connected, run):
    assert "--iqn" in run("storage", "server", "connect", "nas", "--type", "iscsi", code=2).stderr
    assert not connected.asked


def test_a_status_of_a_connection_becomes_a_problem_with_a_way_on(daemon, run):
    daemon.answers["connectStorageServer"] = {"statuslist": [{"id": "1", "status": 476}]}
    words = ("nas", "--type", "iscsi", "--iqn", "i")
    assert "--password-file" in run("storage", "server", "connect", *words, code=1).stderr


def test_discovery_lists_targets_with_their_portals(daemon, run):
    daemon.answers["discoverSendTargets"] = {"targets": ["iqn.x"], "fullTargets": ["10.1.1.5:3260,1 iqn.x"]}
    found = run("storage", "server", "discover", "10.1.1.5", json_=True)
    assert found == [{"iqn": "iqn.x", "portal": "10.1.1.5:3260", "tpgt": "1"}]


def test_a_domain_of_disks_is_made_of_a_volume_group(daemon, run):
    daemon.answers |= {"createVG": {"uuid": "vg-uuid"}, "createStorageDomain": {}}
    made = run("storage", "domain", "create", "fast", "--type", "iscsi", "--device", LUN, json_=True)["id"]
    assert daemon.asked == [
        ("createVG", made, [LUN], False),
        ("createStorageDomain", 3, made, "fast", "vg-uuid", 1, "5"),
    ]


@pytest.mark.parametrize("words", [["--type", "iscsi"], ["/srv", "--device", LUN], ["--device", LUN], []])
def test_a_domain_needs_a_place_or_disks_and_not_both(daemon, run, words):
    assert "--device" in run("storage", "domain", "create", "fast", *words, code=2).stderr
    assert not daemon.asked


def a_check(*findings, sound=True):
    told = [dict(zip(("severity", "place", "what", "mend"), one, strict=True)) for one in findings]
    return {"check": {"sound": sound, "findings": told, "images": 2, "volumes": 3}}


def test_a_check_of_a_sound_domain_ends_well(daemon, run):
    daemon.answers["checkStorageDomain"] = a_check(("note", "images/x", "left over", ""))
    said = run("storage", "domain", "check", DOMAIN).output
    assert "note: images/x: left over" in said
    assert said.splitlines()[-2:] == ["3 volumes in 2 images were looked at.", f"The domain {DOMAIN} is sound."]


def test_a_check_that_found_damage_says_how_to_mend_it_and_fails(daemon, run):
    daemon.answers["checkStorageDomain"] = a_check(("error", "a/b", "it is gone", "restore it"), sound=False)
    done = run("storage", "domain", "check", DOMAIN, code=1)
    assert "error: a/b: it is gone\n    restore it" in done.output
    assert "is not sound" in done.stderr


def test_devices_are_listed_with_their_paths(daemon, run):
    disk = {"GUID": LUN, "capacity": "1073741824", "status": "free", "devtype": "iSCSI", "vgUUID": ""}
    paths = [{"state": "active"}, {"state": "failed"}]
    used = {**disk, "GUID": "other", "status": "used", "pathstatus": []}
    listed = [
        {**disk, "pathstatus": paths, "vendorID": "V", "productID": "P"},
        {**used, "vendorID": "", "productID": ""},
    ]
    daemon.answers["getDeviceList"] = {"devList": listed}
    assert "1 of 2" in run("storage", "device", "list").output
    assert [one["GUID"] for one in run("storage", "device", "list", "--free", json_=True)] == [LUN]


def an_image(daemon):
    volumes = {"5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e4001": info(role="INTERNAL")}
    volumes["5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e4002"] = info(next(iter(volumes)))
    daemon.answers |= {
        "getVolumesList": {"uuidlist": list(volumes)},
        "getVolumeInfo": lambda domain, pool, image, volume: {"info": dict(volumes[volume])},
        "moveImage": {"uuid": "task"},
        "mergeSnapshots": {"uuid": "task"},
        "deleteImage": {"uuid": "task"},
        "getTaskInfo": {"TaskInfo": {"verb": "moveImage"}},
        "getTaskStatus": {"taskStatus": {"taskState": "finished", "taskResult": "success", "message": "", "code": 0}},
        "clearTask": {},
    }
    return [f"{POOL}/{DOMAIN}/{IMAGE}/{id}" for id in volumes]


def test_the_tree_of_one_image_is_drawn(daemon, run):
    base, _ = an_image(daemon)
    lines = run("storage", "image", "tree", base).output.splitlines()
    assert (lines[0], lines[2][:5]) == (f"image {IMAGE}", "   └─")


def test_images_are_moved_copied_merged_and_deleted_and_waited_for(daemon, run):
    base, top = an_image(daemon)
    target = DOMAIN[:-1] + "2"
    run("storage", "image", "move", base, target)
    run("storage", "image", "move", base, target, "--copy")
    run("storage", "image", "merge", base, top)
    run("storage", "image", "delete", "-y", base)
    started = [asked for asked in daemon.asked if asked[0] in ("moveImage", "mergeSnapshots", "deleteImage")]
    ids = [one.rpartition("/")[2] for one in (base, top)]
    assert started == [
        ("moveImage", POOL, DOMAIN, target, IMAGE, ZERO, 2, "false", "false"),
        ("moveImage", POOL, DOMAIN, target, IMAGE, ZERO, 1, "false", "false"),
        ("mergeSnapshots", DOMAIN, POOL, ZERO, IMAGE, *ids, "false"),
        ("deleteImage", DOMAIN, POOL, IMAGE, "false", "false"),
    ]
    assert daemon.verbs().count("clearTask") == 4


def test_volumes_of_two_images_are_not_merged(daemon, run):
    base, top = an_image(daemon)
    other = top.replace(IMAGE, IMAGE[:-1] + "9")
    assert "different images" in run("storage", "image", "merge", base, other, code=2).stderr


def test_watching_tasks_ends_when_none_runs(daemon, run):
    states = iter(["running", "running", "finished"])
    daemon.answers["getAllTasks"] = lambda: {"tasks": {"a": {"verb": "copyImage", "state": next(states)}}}
    daemon.answers["getTaskStatus"] = {"taskStatus": {"progress": 50}}
    assert "No task is running." in run("task", "watch").output
    assert daemon.verbs().count("getAllTasks") == 3
