from typing import Any

import pytest

import spec
from conformance import checks, load
from conformance.contract import Contract
from conformance.errors import BadFiles
from conformance.wants import Count, Fields, Gone, Outcome, RowOf

HEAD = "version: 1\ntitle: t\nrules: [WF-START-001]\n"
START = "  - start: {workflow: ConformanceScript, as: wf}\n"


@pytest.fixture
def planned(folder: Any) -> Any:
    def make(steps: Any, profile: Any = spec.DEFAULT_PROFILE, head: Any = "") -> Any:
        (scenario,) = load.scenarios(folder(a__b=HEAD + head + "steps:\n" + steps))
        held = spec.load(profile)
        return checks.plan(scenario, scenario.rows[0], held, Contract(held.openapi))

    return make


def carried(step: Any) -> Any:
    return [(one.kind, one.rule) for one in step.every()]


def test_an_accepted_operation_carries_the_rules_of_its_cell(planned: Any) -> None:
    """
    Outcome by the cell, reply by the row, body by the document.
    """
    (start,) = planned(START)

    assert carried(start) == [("outcome", "WF-START-001"), ("reply", "WF-HTTP-001"), ("body", "WF-HTTP-009")]
    assert start.checks[0].wants == Outcome(accepted=True)
    assert start.checks[1].wants == RowOf("start.accepted", (202,), "", "StartResponse")


def test_a_refusal_carries_its_own_rule_and_shows_the_row_of_the_profile(planned: Any) -> None:
    """
    `refused` is judged by the cell of the state that the instance is believed to be in.
    """
    steps = START + START + "    expect: {refused: WF-START-003}\n"

    assert planned(steps)[1].checks[1].wants == RowOf("start.duplicate", (500,), "ERR_START_WORKFLOW", "")
    assert planned(steps, "documented")[1].checks[1].wants == RowOf("start.conflict", (409,), "", "")


def test_looks_carry_the_settles_rule_of_the_last_operation(planned: Any) -> None:
    """
    What is seen after an operation is that operation's matter; before any, it is that of looking.
    """
    steps = (
        START
        + "".join(
            f"  - {op}: wf\n  - eventually: {{get: wf, expect: {{runtimeStatus: {state}}}}}\n"
            for op, state in (("pause", "SUSPENDED"), ("resume", "RUNNING"), ("terminate", "TERMINATED"))
        )
        + "  - purge: wf\n  - eventually: {get: wf, expect: absent}\n"
    )
    found = planned(steps)

    assert [carried(step)[0][1] for step in found[2::2]] == [
        "WF-PAUSE-002",
        "WF-RESUME-002",
        "WF-TERM-002",
        "WF-PURGE-002",
    ]
    assert isinstance(found[-1].checks[0].wants, Gone)
    (look,) = planned("  - stays: {get: nobody, expect: absent, for: 1}\n", head="instances: {nobody: '{u}-n'}\n")
    assert carried(look)[0] == ("settles", "WF-GET-003")


def test_states_are_spoken_as_the_surface_speaks(planned: Any) -> None:
    """
    A state of the table is looked for under the word that the surface has for it.
    """
    look = "  - eventually: {get: wf, expect: {runtimeStatus: {$one_of: [STALLED, CANCELED]}}}\n"

    wants = planned(START + look)[1].checks[0].wants
    assert isinstance(wants, Fields)
    assert wants.fields == {"runtimeStatus": {"$one_of": ["UNKNOWN", "CANCELED"]}}


def test_what_is_unspecified_is_not_judged(planned: Any) -> None:
    """
    Where the profile is silent only the form of the answer is checked, and the settling.
    """
    steps = "  - pause: nobody\n    expect: cell\n"
    head = "instances: {nobody: '{u}-n'}\n"

    assert [one.kind for one in planned(steps, head=head)[0].checks] == ["outcome", "reply", "body"]
    assert [one.kind for one in planned(steps, "documented", head)[0].checks] == ["body"]


def test_a_rule_of_another_profile_makes_no_check(planned: Any) -> None:
    """
    A check whose rule does not hold in the profile is not planned.
    """
    steps = START + "  - get: wf\n    checks: [{rule: WF-GET-013, expect: {workflowName: x}}]\n"
    rule = spec.load().rules["WF-GET-013"]
    elsewhere = next(name for name in spec.profiles() if name not in rule.profiles)

    assert ("fields", "WF-GET-013") in carried(planned(steps, rule.profiles[0])[1])
    assert ("fields", "WF-GET-013") not in carried(planned(steps, elsewhere)[1])


def test_a_look_waits_also_where_it_is_not_judged(planned: Any) -> None:
    """
    What follows stands on a look, so it waits in every profile.
    """
    look = "  - eventually: {get: wf, expect: {runtimeStatus: RUNNING}}\n    rule: WF-GET-013\n"
    rule = spec.load().rules["WF-GET-013"]
    elsewhere = next(name for name in spec.profiles() if name not in rule.profiles)

    step = planned(START + look, elsewhere)[1]
    assert [one.kind for one in step.checks] == ["body"]
    assert step.awaits is not None


def test_a_count_knows_the_rows_of_winners_and_losers(planned: Any) -> None:
    """
    Of simultaneous starts one gets the row of the free ID, the others that of the taken one.
    """
    both = "{start: {workflow: ConformanceEcho, as: wf}}"
    (step,) = planned(
        f"  - parallel: [{both}, {both}]\n    expect: {{accepted: 1, refused: WF-START-003}}\n    rule: WF-START-012\n"
    )

    count = step.checks[0].wants
    assert isinstance(count, Count)
    assert [(one.name, other.name) for one, other in count.rows if one and other] == [
        ("start.accepted", "start.duplicate")
    ] * 2
    assert [one.id for one in step.every()] == ["1.1.body", "1.2.body", "1.count"]


def test_branches_know_nothing_of_each_other(planned: Any) -> None:
    """
    Each branch of a parallel step meets the state from before it.
    """
    step = planned(START + "  - parallel: [{pause: wf}, {pause: wf}]\n  - get: wf\n    expect: cell\n")[1]

    assert [one.checks[0].rule for one in step.branches] == ["WF-PAUSE-001", "WF-PAUSE-001"]


def test_raw_requests_are_held_against_the_document_where_they_are_operations(planned: Any) -> None:
    """
    A request for an operation of the document has its answer checked; one for nothing has not.
    """
    steps = '  - request: {method: GET, path: "/{version}/workflows/dapr/%s"}\n    expect: {refused: WF-HTTP-004}\n'

    assert [one.kind for one in planned(steps % "x")[0].checks] == ["request", "body"]
    assert [one.kind for one in planned(steps % "x/y")[0].checks] == ["request"]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (START + "  - purge: wf\n", "in RUNNING it is refused (purge.active)"),
        (START + "  - pause: wf\n    expect: {refused: WF-PURGE-003}\n", "is not refused by this rule"),
        (
            "  - start: {workflow: ConformanceEcho, as: wf}\n    expect: {refused: WF-START-003}\n",
            "in ABSENT start is not refused",
        ),
    ],
)
def test_steps_that_do_not_fit_the_table_are_errors_of_the_file(planned: Any, steps: Any, words: Any) -> None:
    """
    A scenario that expects what the table rules out is wrong itself.
    """
    with pytest.raises(BadFiles) as error:
        planned(steps)
    assert words in str(error.value)
    assert ".yaml:" in str(error.value)
