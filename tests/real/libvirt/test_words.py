"""The words agree with libvirt's constants, and every event of libvirt becomes the fields that are promised."""

import libvirt
import pytest

from virgate.events import EventBus
from virgate.libvirt import domain_events, words

VOCABULARIES = {
    "VIR_DOMAIN_EVENT_WATCHDOG_": words.WATCHDOG_ACTIONS,
    "VIR_DOMAIN_EVENT_IO_ERROR_": words.IO_ERROR_ACTIONS,
    "VIR_DOMAIN_DISK_ERROR_": words.DISK_ERRORS,
    "VIR_DOMAIN_BLOCK_JOB_TYPE_": words.BLOCK_JOBS,
    "VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_": ("unknown", *words.AGENT_STATES[1:]),
    "VIR_CONNECT_CLOSE_REASON_": words.CLOSE_REASONS,
    **{f"VIR_DOMAIN_EVENT_{event.upper()}_": details for event, details in words.DETAILS.items()},
    **{f"VIR_DOMAIN_{state.upper()}_": reasons for state, reasons in words.REASONS.items() if state != "shutdown"},
}
ODD = {"VIR_DOMAIN_PMSUSPENDED_DISK_UNKNOWN"}


@pytest.mark.parametrize("prefix", VOCABULARIES)
def test_every_constant_of_libvirt_has_its_own_name_as_its_word(prefix):
    found = {name: getattr(libvirt, name) for name in dir(libvirt) if name.startswith(prefix) and name not in ODD}
    assert found
    assert {name: words.word(VOCABULARIES[prefix], number) for name, number in found.items()} == {
        name: name.removeprefix(prefix).lower() for name in found
    }


@pytest.mark.parametrize("event", words.EVENTS)
def test_every_lifecycle_event_has_its_word(event):
    assert words.word(words.EVENTS, getattr(libvirt, f"VIR_DOMAIN_EVENT_{event.upper()}")) == event


@pytest.mark.parametrize("state", words.STATES)
def test_every_state_has_its_word(state):
    assert words.state(getattr(libvirt, f"VIR_DOMAIN_{state.upper()}"), 0) == (state, "unknown")


def test_a_number_of_a_newer_libvirt_is_said_as_a_number():
    assert words.lifecycle(2, 77) == ("started", "77")
    assert words.lifecycle(99, 1) == ("99", "1")
    assert words.state(99, 98) == ("99", "98")


class Connection:
    """Takes registrations, as libvirt would."""

    def __init__(self):
        self.callbacks = {}

    def domainEventRegisterAny(self, domain, event, callback, opaque):
        self.callbacks[event] = callback
        return event


class Domain:
    def UUIDString(self):
        return "uuid-1"


@pytest.mark.parametrize(
    ("event", "arguments", "topic", "fields"),
    [
        ("LIFECYCLE", (2, 0), "lifecycle", {"event": "started", "detail": "booted"}),
        ("REBOOT", (), "reboot", {}),
        ("RTC_CHANGE", (-7,), "rtc", {"offset": -7}),
        (
            "IO_ERROR_REASON",
            ("/disk", None, 1, "enospc"),
            "io_error",
            {"path": "/disk", "alias": "", "action": "pause", "reason": "enospc"},
        ),
        ("WATCHDOG", (2,), "watchdog", {"action": "reset"}),
        (
            "GRAPHICS",
            (0, {"family": 0, "node": "::1", "service": "1"}, None, None, []),
            "graphics",
            {"phase": "connect", "client": "", "server": "::1", "scheme": ""},
        ),
        ("AGENT_LIFECYCLE", (1, 2), "agent", {"state": "connected"}),
        (
            "BLOCK_THRESHOLD",
            ("vda", None, 4096, 512),
            "block_threshold",
            {"target": "vda", "path": "", "threshold": 4096, "excess": 512},
        ),
        ("BLOCK_JOB_2", ("vda", 4, 3), "block_job", {"disk": "vda", "job": "active_commit", "status": "ready"}),
    ],
)
def test_an_event_is_told_with_exactly_its_fields(event, arguments, topic, fields):
    events, heard = EventBus(), []
    events.listen(f"libvirt.{topic}", lambda **told: heard.append(told))
    connection = Connection()
    domain_events.register(connection, events)
    connection.callbacks[getattr(libvirt, f"VIR_DOMAIN_EVENT_ID_{event}")](connection, Domain(), *arguments, None)
    assert heard == [{"uuid": "uuid-1"} | fields]
