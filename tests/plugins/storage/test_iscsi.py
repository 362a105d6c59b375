"""The iSCSI type: words of clients, records, and what is left behind by every way a login can go."""

import pytest
import pytest_twisted
from contract.storage.initiator import Initiator
from contract.storage.types import RecordingHost

from virgate.errors import InvalidParameter
from virgate.node.storage.errors.iscsi import (
    IscsiDiscoveryFailed,
    IscsiInterfaceDiffers,
    IscsiLoginRefused,
    IscsiLogoutFailed,
    IscsiSetupFailed,
)
from virgate_plugins.storage import fcp, iscsi
from virgate_plugins.storage.iscsi.target import Iscsi

IQN = "iqn.2012-01.lab.virgate:pool"
GIVEN = {"id": "1", "connection": "10.0.0.1", "port": "3260", "iqn": IQN}
SECRET = {"user": "fred", "password": "correct horse"}
NODE = f"nodes/{IQN}/10.0.0.1,3260,1/default"


@pytest.fixture
def initiator(monkeypatch):
    return Initiator(monkeypatch)


@pytest.fixture
def host(tmp_path):
    return RecordingHost(tmp_path / "data-center")


def read(**more) -> Iscsi:
    return Iscsi.read({**GIVEN, **more})


def test_each_type_answers_to_its_own_name_only():
    assert iscsi.storage_domain_type("iscsi") is Iscsi
    assert iscsi.storage_domain_type("fcp") is None
    assert fcp.storage_domain_type("fcp") is fcp.FibreChannel
    assert fcp.storage_domain_type("iscsi") is None


def test_empty_words_mean_the_defaults():
    target = read(tpgt="", user="", password="left over", ifaceName="", initiatorName="", netIfaceName="")
    assert (target.port, target.tpgt, target.iface, target.user, target.password) == (3260, 1, "default", "", "")


def test_an_address_of_version_6_may_have_brackets():
    assert read(connection="[fe80::1]").host == read(connection="fe80::1").host == "fe80::1"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("connection", "-oProxy"),
        ("connection", "a/b"),
        ("connection", ""),
        ("connection", "a b"),
        ("port", "0"),
        ("port", "65536"),
        ("port", "٣"),
        ("port", "iscsi"),
        ("iqn", ""),
        ("iqn", "iqn.2012-01.x:a/../b"),
        ("iqn", "iqn.2012-01.x:.."),
        ("iqn", "--logout"),
        ("iqn", "iqn.2012-01.é"),
        ("iqn", f"{IQN}\n"),
        ("tpgt", "-1"),
        ("ifaceName", "../default"),
        ("ifaceName", "-x"),
        ("netIfaceName", "eth0;x"),
        ("initiatorName", "somebody"),
    ],
)
def test_what_iscsiadm_would_misread_is_refused(key, value):
    with pytest.raises(InvalidParameter) as refused:
        read(**{key: value})
    assert refused.value.name == key


@pytest.mark.parametrize("password", ["two\nlines", "tab\t", " blank", "blank ", "\0", "x" * 256])
def test_a_password_that_a_record_cannot_hold_is_refused_and_not_shown(password):
    with pytest.raises(InvalidParameter) as refused:
        read(user="fred", password=password)
    assert password not in str(refused.value)


def test_a_password_is_not_in_the_text_of_a_connection():
    assert "horse" not in repr(read(**SECRET)) + str(read(**SECRET))


@pytest_twisted.ensureDeferred
async def test_a_login_writes_what_the_settings_say_and_no_secret_on_a_command_line(initiator, host):
    initiator.wanted = ("fred", "correct horse")
    await read(**SECRET).connect(host)
    record = initiator.files[NODE]
    assert "node.session.auth.password = correct horse\n" in record
    assert "node.startup = manual\n" in record and "automatic" not in record
    assert "replacement_timeout = 20\n" in record
    assert "horse" not in repr(initiator.argvs)
    assert await read(**SECRET).connected(host)


@pytest_twisted.ensureDeferred
async def test_a_session_that_is_there_is_left_alone(initiator, host):
    await read().connect(host)
    done = len(initiator.argvs)
    await read(connection="storage").connect(host)
    assert len(initiator.argvs) == done and len(initiator.sessions) == 1


@pytest.mark.parametrize(
    ("action", "code", "problem", "said"),
    [
        ("new", 6, IscsiSetupFailed, "records"),
        ("new", 20, IscsiSetupFailed, "open-iscsi"),
        ("--login", 8, IscsiSetupFailed, "no answer in time"),
        ("--login", 19, IscsiSetupFailed, "no such target"),
        ("--login", 24, IscsiLoginRefused, "password"),
        ("--login", 77, IscsiSetupFailed, "it was so"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_login_that_fails_says_why_and_leaves_no_record(initiator, host, action, code, problem, said):
    initiator.codes[action] = code
    with pytest.raises(problem) as told:
        await read(**SECRET).connect(host)
    assert said in str(told.value) and "horse" not in str(told.value)
    assert initiator.files == {} and not await read().connected(host)


@pytest_twisted.ensureDeferred
async def test_wrong_credentials_are_refused(initiator, host):
    initiator.wanted = ("fred", "another")
    with pytest.raises(IscsiLoginRefused):
        await read(**SECRET).connect(host)
    assert initiator.files == {}


@pytest_twisted.ensureDeferred
async def test_a_portal_that_cannot_be_reached_is_not_tried(initiator, host):
    initiator.obstacle = "no route to the portal"
    with pytest.raises(IscsiSetupFailed, match="no route"):
        await read().connect(host)
    assert not any("--login" in argv for argv in initiator.argvs)


@pytest_twisted.ensureDeferred
async def test_a_login_that_happened_elsewhere_meanwhile_counts(initiator, host):
    initiator.codes["--login"] = 15
    await read().connect(host)
    assert NODE in initiator.files


@pytest_twisted.ensureDeferred
async def test_without_iscsiadm_the_package_is_named_and_nothing_is_connected(initiator, host):
    initiator.installed = False
    with pytest.raises(IscsiSetupFailed, match="open-iscsi"):
        await read(ifaceName="storage").connect(host)
    await read().disconnect(host)
    with pytest.raises(IscsiDiscoveryFailed, match="open-iscsi"):
        await Iscsi.discover({"connection": "10.0.0.1", "port": "3260", "user": "", "password": ""})


@pytest_twisted.ensureDeferred
async def test_a_logout_removes_the_record_by_the_name_it_was_made_with(initiator, host):
    await read(connection="storage", **SECRET).connect(host)
    assert list(initiator.files) == [f"nodes/{IQN}/storage,3260,1/default"]
    await read(**SECRET).disconnect(host)
    assert (initiator.files, initiator.sessions) == ({}, {})
    await read(**SECRET).disconnect(host)


@pytest.mark.parametrize(
    "other",
    [
        {"port": "3261"},
        {"connection": "10.0.0.2"},
        {"iqn": IQN + "2"},
        {"tpgt": "2"},
        {"ifaceName": "storage"},
        {"user": ""},
        {"user": "other"},
        {"password": "other"},
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_session_that_differs_in_anything_is_not_ended(initiator, host, other):
    await read(**SECRET).connect(host)
    await read(**{**SECRET, **other}).disconnect(host)
    assert len(initiator.sessions) == 1 and NODE in initiator.files


@pytest_twisted.ensureDeferred
async def test_a_logout_that_fails_keeps_the_record(initiator, host):
    await read().connect(host)
    initiator.codes["--logout"] = 10
    with pytest.raises(IscsiLogoutFailed):
        await read().disconnect(host)
    assert NODE in initiator.files


@pytest_twisted.ensureDeferred
async def test_an_interface_is_made_once_and_must_fit_later(initiator, host):
    await read(ifaceName="storage", netIfaceName="eth1", initiatorName="iqn.2012-01.x:me").connect(host)
    assert initiator.interfaces == {"storage": "eth1"}
    await read(ifaceName="storage").connect(host)
    with pytest.raises(IscsiInterfaceDiffers):
        await read(ifaceName="storage", netIfaceName="eth2", port="3261").connect(host)


@pytest_twisted.ensureDeferred
async def test_an_interface_that_cannot_be_made_is_not_left_half(initiator, host):
    initiator.codes["update"] = 7
    with pytest.raises(IscsiInterfaceDiffers):
        await read(ifaceName="storage", netIfaceName="eth1").connect(host)
    assert initiator.interfaces == {}


@pytest_twisted.ensureDeferred
async def test_a_discovery_leaves_no_record_and_shows_no_secret(initiator):
    found = await Iscsi.discover({"connection": "10.0.0.1", "port": "3260", **SECRET})
    assert found == [("10.0.0.1:3260,1", "iqn.2012-01.x:a"), ("10.0.0.1:3260,2", "iqn.2012-01.x:b")]
    assert initiator.files == {} and "horse" not in repr(initiator.argvs)


@pytest_twisted.ensureDeferred
async def test_a_discovery_leaves_the_administrators_record_as_it_was(initiator):
    name = "send_targets/10.0.0.1,3260/st_config"
    initiator.files[name] = "# BEGIN RECORD\ndiscovery.startup = manual\n# END RECORD\n"
    before = dict(initiator.files)
    await Iscsi.discover({"connection": "10.0.0.1", "port": "3260", **SECRET})
    assert initiator.files == before


@pytest.mark.parametrize(("code", "problem"), [(11, IscsiDiscoveryFailed), (24, IscsiLoginRefused)])
@pytest_twisted.ensureDeferred
async def test_a_discovery_that_fails_leaves_no_record(initiator, code, problem):
    initiator.codes["--discover"] = code
    with pytest.raises(problem):
        await Iscsi.discover({"connection": "10.0.0.1", "port": "3260", **SECRET})
    assert initiator.files == {}


@pytest.mark.parametrize("missing", ["connection", "port", "user", "password"])
@pytest_twisted.ensureDeferred
async def test_a_discovery_needs_its_four_keys(initiator, missing):
    given = {"connection": "10.0.0.1", "port": "3260", "user": "", "password": ""}
    del given[missing]
    with pytest.raises(KeyError, match=missing):
        await Iscsi.discover(given)
