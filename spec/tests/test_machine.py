from __future__ import annotations

import pytest

import spec

PROFILES = spec.profiles()


def cells(loaded: spec.Spec) -> list[spec.Cell]:
    plain = [cell for row in loaded.machine.table.values() for cell in row.values()]
    return plain + [inner for cell in plain for inner in cell.when.values()]


@pytest.fixture(params=PROFILES)
def loaded(request: pytest.FixtureRequest) -> spec.Spec:
    return spec.load(request.param)


def test_the_table_is_total(loaded: spec.Spec) -> None:
    """
    Every state has a cell for every operation and happening, and for nothing else.
    """
    machine = loaded.machine
    events = {*machine.operations, *machine.happenings}

    assert set(machine.table) == set(machine.states)
    assert {state: set(row) for state, row in machine.table.items()} == dict.fromkeys(machine.states, events)
    assert not set(machine.operations) & set(machine.happenings)


def test_a_cell_knows_where_it_stands(loaded: spec.Spec) -> None:
    """
    State and event of a cell are those of its place in the table.
    """
    for state, row in loaded.machine.table.items():
        for event, cell in row.items():
            assert (cell.state, cell.event) == (state, event)


def test_an_operation_answers_and_settles(loaded: spec.Spec) -> None:
    """
    A cell of an operation has a reply, a settling and a rule for each; no operation is impossible.
    """
    for cell in cells(loaded):
        if cell.event in loaded.machine.operations:
            assert cell.reply in {*loaded.replies, spec.UNSPECIFIED}, cell
            assert cell.acts in loaded.replies, cell
            assert cell.settles, cell
            assert len(cell.rules) == 2, cell
            assert not cell.impossible, cell


def test_a_happening_settles_or_is_impossible(loaded: spec.Spec) -> None:
    """
    A cell of a happening has either a settling with one rule, or the reason why it cannot occur.
    """
    for cell in cells(loaded):
        if cell.event in loaded.machine.happenings:
            assert (cell.reply, cell.races, dict(cell.when)) == ("", (), {}), cell
            assert bool(cell.settles) is bool(cell.rules) is not bool(cell.impossible), cell


def test_names_in_cells_are_known(loaded: spec.Spec) -> None:
    """
    States, rules and happenings that a cell names exist, each named once.
    """
    for cell in cells(loaded):
        assert set(cell.settles) <= set(loaded.machine.states), cell
        assert set(cell.rules) <= set(loaded.rules), cell
        assert set(cell.races) <= set(loaded.machine.happenings), cell
        assert len(set(cell.settles)) == len(cell.settles), cell


def test_a_race_is_between_possible_events(loaded: spec.Spec) -> None:
    """
    A happening that may win is possible before or after the operation, or after what comes by itself.
    """
    machine = loaded.machine
    for cell in cells(loaded):
        row = machine.table[cell.state]
        spontaneous = (row[name].settles for name, one in machine.happenings.items() if one.spontaneous)
        places = {cell.state, *cell.settles, *(state for settles in spontaneous for state in settles)}
        for race in cell.races:
            assert any(not machine.table[state][race].impossible for state in places), cell


def test_every_state_can_be_reached(loaded: spec.Spec) -> None:
    """
    From the state without an instance every state is reached by accepted operations and happenings.
    """
    machine = loaded.machine
    (start,) = (name for name, state in machine.states.items() if not state.exists)
    seen, waiting = {start}, [start]
    while waiting:
        for cell in machine.table[waiting.pop()].values():
            if cell.acts and loaded.replies[cell.acts].outcome != "accepted":
                continue
            waiting += [state for state in cell.settles if state not in seen]
            seen |= set(cell.settles)

    assert seen == set(machine.states)


def test_nothing_happens_to_what_has_ended_or_is_not_there(loaded: spec.Spec) -> None:
    """
    No happening is possible in a terminal state or without an instance, and none ends in the latter.
    """
    for name, state in loaded.machine.states.items():
        for happening in loaded.machine.happenings:
            cell = loaded.machine.table[name][happening]
            if state.terminal or not state.exists:
                assert cell.impossible, cell
            assert all(loaded.machine.states[target].exists for target in cell.settles), cell


def test_a_refused_operation_changes_nothing(loaded: spec.Spec) -> None:
    """
    What is refused settles in the state it found; only under a condition it may go on half done.
    """
    for row in loaded.machine.table.values():
        for cell in row.values():
            if cell.acts and loaded.replies[cell.acts].outcome == "refused":
                assert cell.settles == (cell.state,), cell
            for inner in cell.when.values():
                assert cell.state in inner.settles, inner


def test_only_active_instances_have_races(loaded: spec.Spec) -> None:
    """
    Nothing can win against an operation where nothing happens by itself.
    """
    for cell in cells(loaded):
        state = loaded.machine.states[cell.state]
        if cell.races:
            assert state.exists, cell
            assert not state.terminal, cell


def test_status_words_can_be_read_back(loaded: spec.Spec) -> None:
    """
    A status word names its state; the document of the HTTP surface lists every word.
    """
    words = loaded.openapi["components"]["schemas"]["Workflow"]["properties"]["runtimeStatus"]["enum"]
    for name, state in loaded.machine.states.items():
        assert state.exists is bool(state.reported), state
        for surface, word in state.reported.items():
            assert loaded.machine.reported(surface, word) == {name}
        assert {state.reported["http"]} <= set(words) if state.exists else True, state


def test_a_condition_changes_the_cell(loaded: spec.Spec) -> None:
    """
    The first condition that a cell knows wins; others are not looked at.
    """
    for row in loaded.machine.table.values():
        for cell in row.values():
            assert loaded.machine.cell(cell.state, cell.event, ("no such condition",)) is cell
            for condition, inner in cell.when.items():
                assert loaded.machine.cell(cell.state, cell.event, ("other", condition)) is inner
                assert (inner.state, inner.event) == (cell.state, cell.event)


def test_ended_states_answer_alike(loaded: spec.Spec) -> None:
    """
    How an instance ended makes no difference to what the reference server answers.
    """
    ended = [name for name, state in loaded.machine.states.items() if state.terminal]
    for operation in loaded.machine.operations:
        replies = {loaded.machine.table[name][operation].acts for name in ended}
        assert len(replies) == 1, (operation, replies)
