from collections import Counter
from typing import Any

import pytest

import spec
from conformance import load
from conformance.contract import Contract
from conformance.errors import BadFiles, UsageError
from conformance.plan import Selection, plan, selected, shard

HEAD = "version: 1\ntitle: t\nrules: [WF-START-001]\n"
STEPS = "steps:\n  - start: {workflow: ConformanceEcho, as: wf}\n"


@pytest.fixture
def planned(folder: Any) -> Any:
    def make(
        selection: Any = None,
        capabilities: Any = (),
        *,
        profile: Any = spec.DEFAULT_PROFILE,
        only_required: Any = False,
        ports: Any = ("http",),
        **files: Any,
    ) -> Any:
        files = files or {"a__one": HEAD + STEPS, "b__two": HEAD + "tags: [x]\nmatrix: {n: [1, '[a]']}\n" + STEPS}
        held = spec.load(profile)
        scenarios = load.scenarios(folder(**files))
        contract, selection = Contract(held.openapi), selection or Selection()
        return plan(scenarios, held, contract, selection, capabilities, only_required=only_required, ports=ports)

    return make


def names(found: Any) -> Any:
    return [case.name for case in found.cases]


def test_a_case_is_a_scenario_on_a_surface_with_a_row(planned: Any) -> None:
    """
    Names are stable, and every combination is there.
    """
    found = names(planned())

    assert found[:3] == ["a/one@http/v1.0", "a/one@http/v1.0-beta1", "a/one@http/v1.0-alpha1"]
    assert found[3:5] == ["b/two@http/v1.0[1]", "b/two@http/v1.0[[a]]"]
    assert len(found) == 9


@pytest.mark.parametrize(
    ("selection", "count"),
    [
        (Selection(names=("a/*",)), 3),
        (Selection(names=("a",)), 3),
        (Selection(names=("b/two",)), 6),
        (Selection(names=("*[[a]]",)), 3),
        (Selection(names=("!a/*", "!*[1]")), 3),
        (Selection(names=("b/*", "!*alpha1*")), 4),
        (Selection(surfaces=("http/v1.0",)), 3),
        (Selection(surfaces=("http/v1.0-*",)), 6),
        (Selection(tags=("x",)), 6),
        (Selection(rules=("WF-HTTP-009",)), 9),
        (Selection(rules=("WF-PURGE-001",)), 0),
        (Selection(names=("nothing",)), 0),
    ],
)
def test_filters_narrow_and_count(planned: Any, selection: Any, count: Any) -> None:
    """
    What a filter leaves out is counted.
    """
    found = planned(selection)

    assert (len(found.cases), found.filtered) == (count, 9 - count)


@pytest.mark.parametrize(
    "selection", [Selection(surfaces=("htp/v1.0",)), Selection(rules=("WF-STRT-001",)), Selection(tags=("y",))]
)
def test_names_that_nobody_has_are_errors(planned: Any, selection: Any) -> None:
    """
    A misspelt surface, rule or tag is told, not an empty run.
    """
    with pytest.raises(UsageError):
        planned(selection)


def test_shards_are_disjoint_and_whole() -> None:
    """
    Each case is in exactly one shard, always the same.
    """
    cases = [f"case{n}@http/v1.0" for n in range(300)]
    sizes = Counter(shard(case, 3) for case in cases)

    assert sizes.keys() == {1, 2, 3}
    assert [shard(case, 3) for case in cases] == [shard(case, 3) for case in cases]
    assert all(shard(case, 1) == 1 for case in cases)


def test_only_what_is_not_claimed_is_unsupported(planned: Any) -> None:
    """
    A case whose capability the target lacks is declared so, with the reason; it is never planned.
    """
    files = {"a__held": HEAD + "requires: [hold_pending]\n" + STEPS, "a__free": HEAD + STEPS}

    lacking = planned(**files)
    assert [one[0] for one in lacking.unsupported] == [
        "a/held@http/v1.0",
        "a/held@http/v1.0-beta1",
        "a/held@http/v1.0-alpha1",
    ]
    assert "hold_pending" in lacking.unsupported[0][1]
    assert len(names(planned(capabilities=("hold_pending",), **files))) == 6
    assert len(names(planned(capabilities=("hold_pending",), only_required=True, **files))) == 3


def test_profiles_and_surfaces_leave_out(planned: Any) -> None:
    """
    A scenario of other profiles is left out.
    """
    files = {"a__edge": HEAD + "profiles: [dapr-edge]\n" + STEPS}

    assert (names(planned(**files)), planned(**files).filtered) == ([], 3)
    assert len(names(planned(profile="dapr-edge", **files))) == 3


def test_a_rule_that_no_check_carries_is_an_error_of_the_file(planned: Any) -> None:
    """
    A scenario cannot claim to be about a rule that none of its checks can break.
    """
    with pytest.raises(BadFiles, match=r"a/one.yaml:1:1: WF-PURGE-001: no check of this file carries this rule"):
        planned(a__one=HEAD.replace("WF-START-001", "WF-START-001, WF-PURGE-001") + STEPS)


def test_the_plan_event_tells_every_check(planned: Any) -> None:
    """
    What the plan tells is what will execute.
    """
    found = planned()
    event = found.as_event()

    assert sum(len(case["checks"]) for case in event["cases"]) == found.count == 27
    assert event["cases"][0]["checks"][0] == {
        "check": "1.outcome",
        "step": 1,
        "line": 5,
        "kind": "outcome",
        "rule": "WF-START-001",
    }


def test_exclusions_come_last() -> None:
    """
    What `!glob` names is out, whatever else names it.
    """
    assert selected("a/b@s", "a/b", "a", ("a/*", "!a/c"))
    assert not selected("a/c@s", "a/c", "a", ("a/*", "!a/c"))


def test_a_run_plans_the_surfaces_whose_port_it_knows(planned: Any) -> None:
    """
    HTTP, gRPC or both; a surface is chosen by its name, by a glob, or by the name of all its versions.
    """
    surfaces = planned(ports=("http", "grpc")).surfaces
    grpc = planned(ports=("grpc",))

    assert surfaces == ("http/v1.0", "http/v1.0-beta1", "http/v1.0-alpha1", "grpc/alpha1", "grpc/beta1", "taskhub")
    assert {case.surface.name for case in grpc.cases} == {"grpc/alpha1", "grpc/beta1", "taskhub"}
    chosen = planned(Selection(surfaces=("grpc", "http/v1.0")), ports=("http", "grpc"))
    assert chosen.surfaces == ("http/v1.0", "grpc/alpha1", "grpc/beta1")


def test_a_surface_without_an_address_is_told(planned: Any) -> None:
    """
    What is asked for and cannot be reached is a usage error that names the option, never an empty run.
    """
    with pytest.raises(UsageError, match="--grpc HOST:PORT"):
        planned(Selection(surfaces=("taskhub",)))
    with pytest.raises(UsageError, match="--server URL"):
        planned(Selection(surfaces=("http/*",)), ports=("grpc",))


def test_a_scenario_runs_on_the_surfaces_it_is_for(planned: Any) -> None:
    """
    `surfaces:` leaves out; a step on another surface needs that one's port.
    """
    hub = HEAD + "surfaces: [taskhub]\n" + STEPS
    other = HEAD + STEPS + "  - pause: wf\n    on: taskhub\n    expect: cell\n"

    assert names(planned(ports=("http", "grpc"), a__one=hub)) == ["a/one@taskhub"]
    assert names(planned(a__one=other)) == []
    assert len(names(planned(ports=("http", "grpc"), a__one=other))) == 6


def test_each_kind_of_surface_has_its_own_rows_and_rules(planned: Any) -> None:
    """
    The same step is checked against the column and the rules of the surface it is on.
    """
    found = planned(
        ports=("http", "grpc"),
        a__one=HEAD + STEPS + "  - start: {workflow: ConformanceEcho, as: wf}\n    expect: cell\n",
    )
    rows = {
        case.surface.name: next(one.wants.status for one in case.checks if one.id == "2.reply") for case in found.cases
    }
    bodies = {case.surface.kind: next(one.rule for one in case.checks if one.id == "1.body") for case in found.cases}

    assert rows["http/v1.0"] == (500,)
    assert rows["grpc/beta1"] == ("INTERNAL",)
    assert rows["taskhub"] == ("ALREADY_EXISTS",)
    assert bodies == {"http": "WF-HTTP-009", "dapr_grpc": "WF-GRPC-004", "taskhub": "WF-GRPC-004"}


def test_a_raw_request_is_for_http_alone(planned: Any) -> None:
    """
    On any other surface it is an error of the file, with its place.
    """
    raw = HEAD + STEPS + '  - request: {method: GET, path: "/x"}\n    expect: {status: 404}\n    rule: WF-HTTP-004\n'

    with pytest.raises(BadFiles, match=r"one.yaml:6:1: request: .*surfaces: \[http\]"):
        planned(ports=("grpc",), a__one=raw.replace("[WF-START-001]", "[WF-START-001, WF-HTTP-004]"))
