"""The state machine: every move of the table is allowed, every other one is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.tasks.errors import IllegalMove
from virgate.node.tasks.states import ABORTABLE, CAME_FROM, DONE, LEGACY, State, move

states = st.sampled_from(State)


@given(states, states)
def test_a_move_is_allowed_exactly_when_the_table_has_it(before, after):
    if before in CAME_FROM[after]:
        assert move(before, after) is after
    else:
        with pytest.raises(IllegalMove) as refused:
            move(before, after)
        assert refused.value.code == 441


def test_every_state_has_predecessors_and_words_for_old_clients():
    assert set(CAME_FROM) == set(LEGACY) == set(State)


def test_old_clients_see_finished_exactly_for_done_states():
    assert {state for state in State if state.legacy[0] == "finished"} == DONE
    assert all(state.done == bool(state.legacy[1]) for state in State)


def test_every_state_that_a_job_passes_can_reach_a_done_state():
    reached = set(DONE)
    while grown := {before for after in reached for before in CAME_FROM[after]} - reached:
        reached |= grown
    assert reached == set(State) - {State.UNKNOWN}


def test_only_states_before_the_end_can_be_aborted():
    assert not ABORTABLE & DONE
    assert State.RUNNING in ABORTABLE


def test_a_stored_word_nobody_knows_is_unknown():
    assert State.named("hovering") is State.UNKNOWN
    assert State.named("racquiring") is State.RACQUIRING
