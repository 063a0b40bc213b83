"""
(what a check wants, what was seen) -> a verdict that explains itself.

Rule 1: pure: no clock, no chance, no socket.
Rule 2: what cannot be judged has not passed.
Rule 3: no answer is an error when nobody answered, and a failure when what came is no answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from . import names as late_names
from .exchange import OK
from .match import MISSING, Names, Text, differences, parse, plain, show
from .wants import Answer, Count, Document, Fields, Gone, Outcome, RowOf, Wants

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .contract import Contract
    from .exchange import Observation

PROPERTIES = {"input": "input", "output": "output", "customStatus": "custom_status"}
FAILURE = {"type": "error_type", "message": "error_message", "stack": "stack_trace"}
PREFIX = "dapr.workflow."
SEEN = 2000
"""Characters of a body that a verdict quotes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    The result of one check, with what was wanted and seen, and what it captured.
    """

    result: Literal["pass", "fail", "error"]
    why: str = ""
    wanted: Any = None
    seen: Any = None
    binds: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """
        Whether all is well.
        """
        return self.result == "pass"


PASS = Verdict("pass")


def judge(wants: Wants, saw: Observation, known: Mapping[str, Any], contract: Contract) -> Verdict:
    """
    One check against one answer.
    """
    if saw.status is None:
        result: Literal["fail", "error"] = "fail" if saw.trouble == "protocol" else "error"
        return Verdict(result, saw.error or "no answer came", wanted=_wanted(wants), seen=saw.error)
    return JUDGES[type(wants)](wants, saw, known, contract)


def count(wants: Count, saw: Sequence[Observation], contract: Contract) -> Verdict:
    """
    How many of several were accepted, and whether each is answered as its row says.
    """
    silent = next((one for one in saw if one.status is None), None)
    if silent:
        return judge(wants, silent, {}, contract)
    accepted = [accepts(one) for one in saw]
    wanted = {"accepted": wants.accepted}
    seen: dict[str, Any] = {"accepted": sum(accepted), "refused": sum(map(refuses, saw))}
    seen["statuses"] = [one.status for one in saw]
    wrong = [*map(str, differences(wants.accepted, sum(accepted), Names(), "accepted"))]
    if seen["accepted"] + seen["refused"] != len(saw):
        wrong.append("an answer neither accepts nor refuses")
    if wrong or len(saw) != len(wants.rows):
        return Verdict("fail", "; ".join(wrong) or "not every branch was answered", plain(wanted), seen)
    for one, yes, (if_accepted, if_refused) in zip(saw, accepted, wants.rows, strict=True):
        row = if_accepted if yes else if_refused
        verdict = _row(row, one, {}, contract) if row else PASS
        if not verdict.passed:
            return verdict
    return Verdict("pass", "", wanted, seen)


def accepts(saw: Observation) -> bool:
    """
    Whether an answer accepts.
    """
    return saw.accepted


def refuses(saw: Observation) -> bool:
    """
    Whether an answer refuses.
    """
    return saw.refused


def answered(saw: Observation) -> dict[str, Any]:
    """
    An answer in short.
    """
    return {"status": saw.status, "body": saw.text[:SEEN]}


def _wanted(wants: Wants) -> Any:
    if isinstance(wants, Outcome):
        return "accepted" if wants.accepted else "an error" if wants.error else "refused"
    if isinstance(wants, RowOf):
        return {"row": wants.name, "status": list(wants.status), **({"errorCode": wants.code} if wants.code else {})}
    if isinstance(wants, Fields):
        return plain(wants.fields)
    if isinstance(wants, Gone):
        return "absent"
    return plain(wants.expect) if isinstance(wants, Answer) else None


def _outcome(wants: Outcome, saw: Observation, *_: Any) -> Verdict:
    held = accepts(saw) if wants.accepted else refuses(saw) and not (wants.error and saw.said and saw.said.absent)
    if held:
        return PASS
    became = "accepted" if accepts(saw) else "refused" if refuses(saw) else "neither accepted nor refused"
    became = "answered as if there were no instance" if wants.error and refuses(saw) else became
    why = f"it was {became} (status {saw.status}) and should have been {_wanted(wants)}"
    return Verdict("fail", why, _wanted(wants), answered(saw))


def _row(wants: RowOf, saw: Observation, known: Mapping[str, Any], contract: Contract) -> Verdict:
    del known
    wrong = []
    if saw.status not in wants.status:
        wrong.append(f"status: wanted {' or '.join(map(str, wants.status))}, saw {saw.status}")
    if wants.code:
        code = _body(saw).get("errorCode", MISSING)
        if code != wants.code:
            wrong.append(f"errorCode: wanted {show(wants.code)}, saw {show(code)}")
    if wants.empty and saw.status == OK and saw.said and not saw.said.absent:
        wrong.append("wanted an answer that shows no instance")
    if wants.body and not wrong:
        wrong += contract.schema_problems(wants.body, saw.body)
    return Verdict("fail", "; ".join(wrong), _wanted(wants), answered(saw)) if wrong else PASS


def _document(wants: Document, saw: Observation, known: Mapping[str, Any], contract: Contract) -> Verdict:
    del known
    if not isinstance(saw.status, int):
        wrong = list(saw.said.problems) if saw.said else []
        return (
            Verdict("fail", "; ".join(wrong[:5]), f"a message of {wants.operation}", answered(saw)) if wrong else PASS
        )
    wrong = contract.problems(wants.operation, saw.status, saw.media, saw.body)
    if not wrong:
        return PASS
    seen = {"status": saw.status, "content-type": saw.media, "body": saw.text[:SEEN]}
    return Verdict("fail", "; ".join(wrong[:5]), f"an answer that openapi.yaml lists for {wants.operation}", seen)


def _fields(wants: Fields, saw: Observation, known: Mapping[str, Any], *_: Any) -> Verdict:
    wanted, lacking = _late(wants.fields, known, late=wants.late)
    if lacking:
        return lacking
    if not accepts(saw):
        return Verdict("fail", f"status {saw.status} shows no fields", plain(wanted), answered(saw))
    fields = shown(saw)
    return _compared(wanted, {key: fields.get(key, MISSING) for key in wanted}, known)


def _gone(wants: Gone, saw: Observation, known: Mapping[str, Any], contract: Contract) -> Verdict:
    return _row(wants.row, saw, known, contract) if wants.row else _outcome(Outcome(accepted=False), saw)


def _answer(wants: Answer, saw: Observation, known: Mapping[str, Any], *_: Any) -> Verdict:
    wanted, lacking = _late(wants.expect, known, late=wants.late)
    if lacking:
        return lacking
    seen: dict[str, Any] = {"status": saw.status, "text": saw.text}
    if "json" in wanted or "errorCode" in wanted:
        try:
            seen["json"] = parse(saw.body)
        except ValueError as error:
            return Verdict("fail", f"the body is not JSON: {error}", plain(wanted), answered(saw))
        seen["errorCode"] = _body(saw).get("errorCode", MISSING)
    if "headers" in wanted:
        wanted = {**wanted, "headers": {name.lower(): value for name, value in wanted["headers"].items()}}
        headers: dict[str, str] = {}
        for name, value in saw.headers:
            headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
        seen["headers"] = {name: headers.get(name, MISSING) for name in wanted["headers"]}
    return _compared(wanted, {key: seen[key] for key in wanted}, known)


def _compared(wanted: Mapping[str, Any], seen: Mapping[str, Any], known: Mapping[str, Any]) -> Verdict:
    captured = Names(known)
    found = [one for key, inner in wanted.items() for one in differences(inner, seen[key], captured, key)]
    if found:
        return Verdict("fail", "; ".join(map(str, found[:5])), plain(wanted), plain(seen))
    return Verdict("pass", "", None, None, captured.new)


def _late(
    wanted: Mapping[str, Any], known: Mapping[str, Any], *, late: bool
) -> tuple[Mapping[str, Any], Verdict | None]:
    """
    What is wanted with every name put in; a verdict where a name is not bound.
    """
    if not late:
        return wanted, None
    filled = late_names.fill(wanted, known)
    lacking = next((name for _, name in late_names.used(wanted) if name not in known), "")
    return filled, Verdict("fail", f"nothing has bound {lacking} yet", plain(wanted)) if lacking else None


def _body(saw: Observation) -> Mapping[str, Any]:
    """
    The body as an object, empty where it is none.
    """
    try:
        value = parse(saw.body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def shown(saw: Observation) -> Mapping[str, Any]:
    """
    The fields of an instance that an answer shows, none where it shows none.
    """
    return saw.said.fields if saw.said else workflow(_body(saw))


def workflow(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """
    The fields of an instance, those that live in `properties` put beside the others.
    """
    fields = {key: value for key, value in body.items() if key not in PROPERTIES and key != "failure"}
    properties = body.get("properties")
    if not isinstance(properties, dict):
        return fields
    for name, key in PROPERTIES.items():
        if PREFIX + key in properties:
            fields[name] = _held(properties[PREFIX + key])
    failure = {
        name: properties[f"{PREFIX}failure.{key}"]
        for name, key in FAILURE.items()
        if f"{PREFIX}failure.{key}" in properties
    }
    if failure:
        fields["failure"] = failure
    return fields


def _held(value: Any) -> Any:
    """
    A property is a text; anything else equals nothing that a scenario can want.
    """
    return Text(value) if isinstance(value, str) else {"this property is not a text": value}


JUDGES: Mapping[type, Callable[..., Verdict]] = {
    Outcome: _outcome,
    RowOf: _row,
    Document: _document,
    Fields: _fields,
    Gone: _gone,
    Answer: _answer,
}
"""Who judges what is wanted of one answer."""
