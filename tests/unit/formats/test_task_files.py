"""Task files: every storable task is read as it was written; odd text never damages its neighbours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.errors import InvalidParameter
from virgate.node.storage.formats import task_files
from virgate.node.storage.formats.errors import UnreadableMetadata
from virgate.node.storage.formats.task_files import JobRecord, Outcome, Recovery, TaskRecord


def storable(text):
    return text == text.strip() and "_eq_" not in text and text.replace("=", "_eq_").replace("_eq_", "=") == text


lines = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=30).filter(storable)
params = st.lists(lines.filter(lambda text: text and "," not in text), max_size=5)
tasks = st.builds(
    TaskRecord,
    id=st.uuids().map(str),
    verb=lines,
    tag=lines,
    store=lines,
    state=st.sampled_from(["running", "queued", "recovered"]),
    jobs=st.lists(st.builds(JobRecord, lines, lines), max_size=2).map(tuple),
    recoveries=st.lists(st.builds(Recovery, lines, lines, lines, lines, params), max_size=12).map(tuple),
)


@given(tasks)
def test_a_task_is_read_as_it_was_written(task):
    assert task_files.decode(task.id, task_files.encode(task)) == task


@given(lines, st.integers(0, 9999), lines)
def test_a_finished_task_keeps_its_outcome(message, code, result):
    task = TaskRecord(id="t", verb="x", state="finished", outcome=Outcome(code, message, result))
    assert task_files.decode("t", task_files.encode(task)) == task


def test_an_outcome_is_written_for_finished_tasks_only():
    task = TaskRecord(id="t", verb="x", state="recovered", outcome=Outcome(100, "no"))
    assert list(task_files.encode(task)) == ["t.task"]


@given(st.text(), st.text())
def test_any_text_leaves_the_other_fields_alone(odd, other):
    fields = task_files.decode_fields(task_files.encode_fields({"a": odd, "b": "kept", "c": other}))
    assert fields["b"] == "kept"
    assert set(fields) <= {"a", "b", "c"}


@given(st.dictionaries(st.text(max_size=12), st.binary(max_size=80), max_size=4))
def test_foreign_files_are_refused_with_a_code(files):
    with pytest.raises(UnreadableMetadata):
        task_files.decode("t", files)


def test_text_with_the_escape_in_it_is_left_out():
    assert task_files.encode_fields({"a": "x_eq_y", "b": "1"}) == b"b = 1\n"


def test_a_message_of_several_lines_becomes_one():
    assert task_files.encode_fields({"message": "one\ntwo\r\nthree"}) == b"message = one two three\n"


def test_lines_without_exactly_one_equals_sign_are_passed_over():
    assert task_files.decode_fields(b"a = 1\nb\nc = 2 = 3\n = \n d=4") == {"a": "1", "": "", "d": "4"}


@pytest.mark.parametrize("text", ["_eq=_", "a_eq_b", "_eq_eq_"])
def test_text_that_would_come_back_changed_is_left_out(text):
    assert task_files.encode_fields({"a": text, "b": "1"}) == b"b = 1\n"
    with pytest.raises(InvalidParameter):
        Recovery("n", "m", "O", "f", (text,))


@pytest.mark.parametrize("param", ["a,b", "a\nb", " a", "a ", "x_eq_y", "a\x0bb"])
def test_a_parameter_that_cannot_be_stored_is_refused_at_once(param):
    with pytest.raises(InvalidParameter):
        Recovery("n", "m", "O", "f", ("fine", param))


def test_parameters_of_others_may_have_spaces():
    files = task_files.encode(TaskRecord(id="t", verb="x", state="running", recoveries=(Recovery("n", "m", "O", "f"),)))
    files["t.recover.0"] = (
        b"name = n\nmoduleName = m\nobject = O\nfunction = f\nparams = a , b,,c=d\nparams = a , b,,c\n"
    )
    assert task_files.decode("t", files).recoveries[0].params == ("a", "b", "", "c")


@pytest.mark.parametrize("missing", ["t.task", "t.job.0", "t.recover.1"])
def test_a_missing_file_makes_the_folder_unreadable(missing):
    steps = tuple(Recovery("n", "m", "O", "f") for _ in range(2))
    files = task_files.encode(TaskRecord(id="t", verb="x", state="running", jobs=(JobRecord("x"),), recoveries=steps))
    del files[missing]
    with pytest.raises(UnreadableMetadata):
        task_files.decode("t", files)
