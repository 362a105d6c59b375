"""A log line is a record: time, level, room, message, and the fields beside it."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger

from virgate.daemon.logs import LineObserver, as_json, logfmt


@pytest.fixture
def written():
    def log(render, call):
        stream = io.StringIO()
        logger = Logger(namespace="virgate.somewhere", observer=LineObserver(stream, render))
        call(logger)
        return stream.getvalue()

    return log


def test_fields_that_the_message_does_not_name_stand_beside_it(written):
    line = written(logfmt, lambda log: log.info("call", verb="ping", code=0, seconds=0.1234567))
    assert line.endswith("level=info room=virgate.somewhere msg=call verb=ping code=0 seconds=0.123457\n")
    assert line.startswith("time=20")


def test_fields_inside_the_message_are_not_repeated(written):
    line = written(logfmt, lambda log: log.warn("lost {what}", what="the way"))
    assert line.endswith('msg="lost the way"\n')


def test_a_line_break_in_a_value_cannot_forge_a_line(written):
    line = written(logfmt, lambda log: log.info("call", flow="x\nlevel=error msg=forged"))
    assert line.count("\n") == 1


@given(st.text(max_size=30))
def test_any_value_reaches_the_log_and_cannot_steer_a_terminal(value):
    for render in (logfmt, as_json):
        stream = io.StringIO()
        Logger(namespace="virgate", observer=LineObserver(stream, render)).info("call", flow=value)
        line = stream.getvalue()
        assert line.endswith("\n")
        assert line[:-1].isprintable()
        assert line.encode(), "a file can hold it"
    assert json.loads(line)["flow"] == value


@pytest.mark.parametrize("value", ["\x1b[2J", "\x9bm", "a\udcffb", "\u202eevil", "\x7f"])
def test_a_value_that_is_no_plain_text_is_written_escaped(written, value):
    assert written(logfmt, lambda log: log.info("call", flow=value)).endswith(f"flow={json.dumps(value)}\n")


def test_json_keeps_numbers_and_a_failure_its_traceback(written):
    def fail(log):
        try:
            raise ValueError("too blue")
        except ValueError:
            log.failure("painting failed", colour=3)

    made = json.loads(written(as_json, fail))
    assert (made["level"], made["colour"], made["error"]) == ("critical", 3, "ValueError: too blue")
    assert "test_logs" in made["traceback"]


def test_a_full_disk_does_not_stop_the_daemon():
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    Logger(observer=LineObserver(Full(), logfmt)).info("hello")
