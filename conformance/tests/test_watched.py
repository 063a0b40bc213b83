"""
Runs that look at what clients send: clients that send something else, and servers that cannot tell.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import spec
from conformance.calls import Calls
from conformance.connection import Http
from conformance.contract import Contract
from conformance.control import Control
from conformance.errors import CannotRun
from conformance.sent import Reader

if TYPE_CHECKING:
    from conformance.exchange import Request

HTTP = ("--surface", "http/v1.0")
HEAD = "version: 1\ntitle: t\nrules: [WF-CLIENT-001]\nrequires: [control]\n"
GET = """\
steps:
  - start: {workflow: ConformanceEcho, input: 1, as: wf}
    wire: [{rule: WF-CLIENT-001, expect: {calls: 1, documented: true}}]
"""


def broken_rules(events: Any) -> set[str]:
    return {one["rule"] for one in events("check") if one["result"] == "fail"}


def twice(request: Request, again: Any) -> Request:
    if request.target.endswith(b"/pause"):
        again(request)
    return request


def elsewhere(request: Request, again: Any) -> Request:
    del again
    return replace(request, target=request.target.replace(b"/raiseEvent/", b"/raiseEvents/"))


def unescaped(request: Request, again: Any) -> Request:
    del again
    return replace(request, target=request.target.replace(b"%2F", b"/").replace(b"%20", b"+").replace(b"%25", b"%"))


def renamed(request: Request, again: Any) -> Request:
    del again
    return replace(request, target=request.target.replace(b"/raiseEvent/go", b"/raiseEvent/Go"))


def shortened(request: Request, again: Any) -> Request:
    del again
    return replace(request, target=request.target.replace(b"-wf", b"-w"))


def emptied(request: Request, again: Any) -> Request:
    del again
    return replace(request, body=b"" if request.body in (b"0", b'""', b"false") else request.body)


def unquoted(request: Request, again: Any) -> Request:
    del again
    return replace(request, body=request.body.strip(b'"'))


def reformatted(request: Request, again: Any) -> Request:
    del again
    return replace(request, body=request.body.replace(b" ", b""))


def tokenless(request: Request, again: Any) -> Request:
    del again
    return replace(request, headers=(*request.headers, ("dapr-api-token", None)))


def filled(request: Request, again: Any) -> Request:
    del again
    return replace(request, body=request.body or b"{}")


BAD = [
    (twice, "one_request_each", "WF-CLIENT-001"),
    (elsewhere, "one_request_each", "WF-CLIENT-001"),
    (shortened, "one_request_each", "WF-CLIENT-002"),
    (unescaped, "odd_ids@*[slashed]", "WF-CLIENT-003"),
    (unescaped, "names@*[slash]", "WF-CLIENT-004"),
    (renamed, "one_request_each", "WF-CLIENT-004"),
    (emptied, "payloads@*[zero]", "WF-CLIENT-005"),
    (emptied, "payloads@*[zero]", "WF-CLIENT-006"),
    (unquoted, "texts@*[number]", "WF-CLIENT-007"),
    (reformatted, "raw@*[spaced]", "WF-CLIENT-008"),
    (filled, "nothing", "WF-CLIENT-009"),
    (tokenless, "token", "WF-CLIENT-010"),
]


@pytest.mark.parametrize(
    ("wrong", "scenario", "rule"), BAD, ids=lambda one: one.__name__ if callable(one) else str(one)
)
def test_a_client_that_sends_something_else_is_found(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    command: Any, events: Any, monkeypatch: Any, wrong: Any, scenario: str, rule: str
) -> None:
    """
    By a check that carries the rule it breaks.
    """
    if scenario == "token":
        monkeypatch.setenv("DAPR_API_TOKEN", "kept secret")
    ask, operation = Http.ask, Calls.operation

    def made(self: Calls, *given: Any, **more: Any) -> Request:
        request = operation(self, *given, **more)
        return wrong(request, again.append)

    def asked(self: Http, request: Request, deadline: Any = None) -> Any:
        while again:
            ask(self, again.pop(), deadline)
        return ask(self, request, deadline)

    again: list[Request] = []
    monkeypatch.setattr(Calls, "operation", made)
    monkeypatch.setattr(Http, "ask", asked)
    if wrong is tokenless:
        monkeypatch.setattr("conformance.session.preflight", lambda *_, **__: None)
    code, _, _ = command("run", "-k", f"clients/{scenario}", *HTTP, "--time-scale", "0.2")

    assert code == 1
    assert rule in broken_rules(events)


def test_the_kits_own_clients_are_right(command: Any, events: Any, monkeypatch: Any) -> None:
    """
    On every kind of surface they break no rule of clients, and every one of these rules is looked at, but for the one
    that only an SDK can break.
    """
    monkeypatch.setenv("DAPR_API_TOKEN", "kept secret")
    kinds = ("--surface", "http/v1.0", "--surface", "grpc/beta1", "--surface", "taskhub")
    code, _, _ = command("run", "-k", "clients/*", *kinds)
    demanded = {rule.id for rule in spec.load().rules.values() if rule.role == "client" and not rule.carries}

    assert code == 0
    assert demanded <= {one["rule"] for one in events("check") if one["result"] == "pass"}


def test_a_client_that_hides_errors_is_found(command: Any, events: Any, monkeypatch: Any) -> None:
    """
    An error that comes out as success breaks the rule, and so does another status or time than was answered.
    """
    ask = Http.ask

    def asked(self: Http, request: Request, deadline: Any = None) -> Any:
        saw = ask(self, request, deadline)
        if saw.status == 500:
            return replace(saw, status=202)
        body = saw.body.replace(b'"SUSPENDED"', b'"RUNNING"').replace(b'"createdAt":"20', b'"createdAt":"19')
        return replace(saw, body=body) if b"/__control/" not in request.target else saw

    monkeypatch.setattr(Http, "ask", asked)
    found = {}
    for scenario in ("errors", "statuses", "answers"):
        command("run", "-k", f"clients/{scenario}", *HTTP, "--time-scale", "0.2")
        found[scenario] = broken_rules(events)

    assert "WF-CLIENT-011" in found["errors"]
    assert "WF-CLIENT-012" in found["statuses"]
    assert "WF-CLIENT-014" in found["answers"]


def test_what_was_sent_is_in_the_record(command: Any, events: Any, folder: Any) -> None:
    """
    Each step that is looked at has the exchanges that the server saw.
    """
    code, _, _ = command("run", "--scenarios", folder(a__one=HEAD + GET), *HTTP)
    [told] = events("wire")

    assert code == 0
    assert [one["template"] for one in told["exchanges"]] == [
        "/v1.0/workflows/{workflowComponent}/{workflowName}/start"
    ]
    assert told["case"] == "a/one@http/v1.0"


def test_cases_that_look_run_one_at_a_time(command: Any, events: Any, folder: Any) -> None:
    """
    And after all others, so that what is seen is what their step sent.
    """
    other = "version: 1\ntitle: t\nrules: [WF-START-001]\nmatrix: {n: [1, 2, 3]}\nsteps:\n"
    other += "  - start: {workflow: ConformanceEcho, as: wf}\n"
    command("run", "--scenarios", folder(a__looks=HEAD + "matrix: {n: [1, 2, 3]}\n" + GET, b__other=other), "-j", "8")
    order = [one["case"] for one in events("exchange") if one["step"]]
    looks = [name for name in order if name.startswith("a/looks")]

    assert order[-len(looks) :] == looks
    assert len(set(looks)) == len(looks) == 18


def test_a_server_that_cannot_tell_makes_cases_unsupported(command: Any, folder: Any, peer: Any) -> None:
    """
    It is declared before the run.
    """
    other = "version: 1\ntitle: t\nrules: [WF-START-001]\nsteps:\n  - start: {workflow: ConformanceEcho, as: wf}\n"
    files = folder(a__looks=HEAD + GET, b__other=other)
    code, out, _ = command("run", "--dry-run", "--server", peer(lambda *_: None).url, "--scenarios", files)

    assert code == 0
    assert "a/looks@http/v1.0  unsupported: the target does not claim control" in out
    assert "b/other@http/v1.0  3 checks" in out


def test_a_claim_of_control_is_looked_into(command: Any, folder: Any, peer: Any, toy: Any, events: Any) -> None:
    """
    A server without it could not run, which is told with the remedy.
    """
    code, _, err = command("run", "--control", "--server", peer(toy()).url, "--scenarios", folder(a__looks=HEAD + GET))

    assert code == 3
    assert "Start the server with --control" in err
    assert events("footer")[0]["exit"] == 3


def test_what_is_not_kept_any_more_is_an_error(peer: Any, answering: Any) -> None:
    """
    A gap among the exchanges is no proof of silence; an answer of another form is none at all.
    """
    page = {"version": 1, "exchanges": [], "cursor": "9", "more": False, "missing": 3}
    reader = Reader(Contract(spec.openapi()))
    for body, says in ((page, "does not keep 3"), ({**page, "cursor": 9}, "not the control"), ([], "not the control")):
        control = Control(peer(lambda *_, told=body: answering(200, told)).url, reader, deadline=10)
        with pytest.raises(CannotRun, match=says):
            control.since("1")
        control.close()


def test_pages_are_read_to_the_end(peer: Any, answering: Any) -> None:
    """
    As long as there is more.
    """
    pages = [
        {"version": 1, "exchanges": [], "cursor": str(cursor), "more": cursor < 3, "missing": 0} for cursor in (1, 2, 3)
    ]
    server = peer(lambda *_: answering(200, pages.pop(0)))
    control = Control(server.url, Reader(Contract(spec.openapi())), deadline=10)

    assert control.since("0") == ((), ())
    assert [target.partition("after=")[2][0] for _, target, _, _ in server.asked] == ["0", "1", "2"]
    control.close()
