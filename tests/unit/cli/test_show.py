"""What people see: tables that cut nothing of importance, fields, sizes; and what programs get."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.cli import show
from virgate.cli.client import Client

ID = "7b51c643-1cac-4d5f-98bd-30d6d88c530e"
OTHER = "85e2684c-a61d-4069-bdee-168ff136839a"
COLUMNS = {"id": "id", "name": "name", "kind": "kind", "why": "why"}
PEOPLE, PROGRAMS = Client(), Client(as_json=True)


@pytest.fixture
def table(capsys, monkeypatch):
    def show_(rows, room=None, spare=(), columns=COLUMNS):
        monkeypatch.setenv("COLUMNS", str(room)) if room else monkeypatch.delenv("COLUMNS", raising=False)
        show.rows(PEOPLE, rows, columns, "Nothing.", spare)
        return capsys.readouterr().out

    return show_


def row(**more):
    return {"id": ID, "name": "first", "kind": "raw", "why": "", **more}


def test_a_table_has_headings_and_a_line_for_each(table):
    assert table([row(), row(id=OTHER, name="second")]).splitlines() == [
        "id                                    name    kind  why",
        f"{ID}  first   raw",
        f"{OTHER}  second  raw",
    ]


def test_an_empty_table_is_a_sentence(table):
    assert table([]) == "Nothing.\n"


def test_a_narrow_terminal_shortens_ids_before_anything_else(table):
    shown = table([row(why="x" * 40)], room=80, spare=("kind",))
    assert "7b51c643 " in shown
    assert ID not in shown
    assert "raw" in shown


def test_columns_that_may_be_spared_go_next_and_the_last_one_wraps_at_words(table):
    shown = table([row(name="n" * 30, kind="k" * 12, why="word " * 20)], room=80, spare=("kind",))
    assert "kind" not in shown
    assert shown.count("word") == 20
    assert max(map(len, shown.splitlines())) <= 80


def test_what_goes_to_a_file_is_never_fitted(table):
    shown = table([row(why="word " * 60)])
    assert len(shown.splitlines()) == 2
    assert ID in shown


words = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=30)


@given(st.lists(st.fixed_dictionaries({"name": words, "why": words}), min_size=1, max_size=4), st.integers(40, 130))
def test_every_letter_of_a_cell_is_shown_in_any_width(rows, room):
    lines = [{"name": one["name"], "why": one["why"]} for one in rows]
    with pytest.MonkeyPatch.context() as patch:
        shown = []
        patch.setattr(show.click, "echo", shown.append)
        show._print(lines, {"name": "name", "why": "why"}, room, [])
    assert max(map(len, shown[0].splitlines())) <= room
    for letter in set("".join(one["name"] + one["why"] for one in rows)):
        cells = "namewhy" + "".join(one["name"] + one["why"] for one in rows)
        assert shown[0].count(letter) == cells.count(letter)


def test_markup_in_a_name_is_only_text(table):
    assert "[bold]x[/]" in table([row(name="[bold]x[/]")])


def test_fields_are_sorted_and_nested_ones_indented(capsys):
    show.fields(PEOPLE, {"b": {"c": 1}, "a": [1, 2], "d": [{"e": True}], "f": {}, "g": ""})
    assert capsys.readouterr().out == "a: 1, 2\nb:\n  c: 1\nd[0]:\n  e: yes\nf:\ng:\n"


def test_an_answer_without_fields_is_a_word(capsys):
    show.fields(PEOPLE, {})
    assert capsys.readouterr().out == "Done.\n"


def test_programs_get_every_field_whatever_the_table_shows(capsys):
    show.rows(PROGRAMS, [row(more=[1])], {"id": "id"}, "Nothing.")
    assert json.loads(capsys.readouterr().out) == [row(more=[1])]
    show.rows(PROGRAMS, [], {"id": "id"}, "Nothing.")
    assert json.loads(capsys.readouterr().out) == []
    show.said(PROGRAMS, "It is done.", id=ID)
    assert json.loads(capsys.readouterr().out) == {"id": ID}


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        ("1023", "1023 B"),
        (1024, "1 KiB"),
        (1 << 30, "1 GiB"),
        (1536 << 20, "1.5 GiB"),
        (1 << 50, "1024 TiB"),
    ],
)
def test_sizes_are_said_in_binary_units(count, said):
    assert show.size(count) == said


@given(st.integers(0, 1 << 45))
def test_a_size_as_people_say_it_is_near_the_truth(count):
    number, unit = show.size(count).split()
    factor = 1024 ** ("B", "KiB", "MiB", "GiB", "TiB").index(unit)
    assert float(number) * factor == pytest.approx(count, rel=1e-3)
