"""
What a client sent, as the server saw it: exchanges of /__control/ -> values -> verdicts.

Rule 1: pure; which endpoint is which operation, and where our words stand, comes from the documents of the surfaces.
Rule 2: what the documents know as no operation (health, metadata, what workers say) is aside, however often it comes.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote_plus

import spec

from . import names as late_names
from .judge import Verdict, shown, workflow
from .match import MISSING, Difference, Names, Text, differences, instant, parse, plain, same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .contract import Contract
    from .exchange import Observation
    from .wants import Wire

PARAMETERS = {
    "workflowComponent": "component",
    "workflowName": "workflow",
    "instanceID": "instance",
    "eventName": "event",
}
"""The words for the parameters of the API document, those that messages have too."""

HTTP, GOOD = "http", range(200, 300)
_PARAMETER = re.compile(r"\{([^{}]+)\}")
_FRACTION = re.compile(r"\.(\d+)")
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Sent:
    """
    One request of a client. `operations` are those that its endpoint is documented for, several where a field of the
    message tells them apart; `aside`: it is documented, and for none. `answer` has the fields that the server answered.
    """

    method: str
    template: str
    path: str
    aside: bool
    operations: tuple[str, ...] = ()
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = MISSING
    message: Mapping[str, Any] = field(default_factory=dict)
    words: Mapping[str, Any] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        """
        Where it went.
        """
        return f"{self.method} {self.template or self.path}"


class Reader:
    """
    Reads exchanges, by the documents of all surfaces.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._http = {
            (one.method, one.prefix.replace("{version}", version) + one.path): one.operation
            for one in contract.operations
            for version in contract.versions
        }

    def __call__(self, exchange: Mapping[str, Any]) -> Sent:
        """
        One exchange of a page as spec/schemas/control.json has it.
        """
        return (self._over_http if exchange["surface"] == HTTP else self._over_grpc)(exchange)

    def _over_http(self, exchange: Mapping[str, Any]) -> Sent:
        place = exchange["method"], exchange["template"]
        operation = self._http.get(place, "")
        query = dict(parse_qsl(exchange["query"], keep_blank_values=True, errors="surrogateescape"))
        body = _body(exchange)
        data = {"data": body} if body is not MISSING else {}
        named = {**_parameters(place[1], exchange["path"]), **{key: query[key] for key in PARAMETERS if key in query}}
        answer = exchange["answer"]
        good = answer is not None and answer["status"] in GOOD
        return Sent(
            *place,
            exchange["path"],
            aside=place in self._http and not operation,
            operations=(operation,) if operation else (),
            query=query,
            headers=_headers(exchange),
            body=body,
            words={**{PARAMETERS[key]: value for key, value in named.items()}, **data},
            answer=_answered(answer) if good else {},
        )

    def _over_grpc(self, exchange: Mapping[str, Any]) -> Sent:
        path = exchange["path"]
        operations, forms = self._methods.get(path, ((), {}))
        answer = exchange["answer"]
        raw = base64.b64decode(exchange.get("body_base64", ""))
        good = answer is not None and "body_base64" in answer
        reads = next(iter(forms.values()), None)
        return Sent(
            exchange["method"],
            exchange["template"],
            path,
            aside=bool(exchange["template"]) and not operations,
            operations=operations,
            headers=_headers(exchange),
            body=_body(exchange),
            message=exchange.get("message", {}),
            words=reads[0](raw) if reads else {},
            answer=reads[1](base64.b64decode(answer["body_base64"])) if reads and good else {},
        )

    @cached_property
    def _methods(self) -> Mapping[str, tuple[tuple[str, ...], Mapping[str, Any]]]:
        """
        For each path: its operations, and for each of them who reads its request and its answer.
        """
        from .methods import Methods  # noqa: PLC0415 - the library of gRPC is for those who look at it

        found: dict[str, dict[str, Any]] = {}
        for kind, surface in spec.grpc().items():
            for version in surface.versions:
                makes = Methods(kind, "", version)
                for name in surface.forms:
                    readers = makes.words(name), _fields(makes.reads(name))
                    found.setdefault(surface.path(name, version), {})[name] = readers
        return {path: (tuple(forms), forms) for path, forms in found.items()}


def judge(wants: Wire, saw: Observation, every: Sequence[Sent], known: Mapping[str, Any]) -> Verdict:
    """
    One check of what was sent in one step, and of what the client said of the answer.
    """
    wanted = late_names.fill(dict(wants.expect), known)
    if saw.status is None:
        return Verdict("fail" if saw.trouble == "protocol" else "error", saw.error or "no answer came", plain(wanted))
    lacking = next((name for _, name in late_names.used(wants.expect) if name not in known), "")
    if lacking:
        return Verdict("fail", f"nothing has bound {lacking} yet", plain(wanted))
    calls = [one for one in every if not one.aside]
    captured = Names(known)
    found = differences(wanted.pop("calls"), len(calls), captured, "calls") if "calls" in wanted else []
    found += differences(wanted.pop("seconds"), saw.seconds, captured, "seconds") if "seconds" in wanted else []
    if wanted and not calls and not found:
        found = [Difference("calls", "one, at least", 0)]
    for call in calls:
        for key, inner in wanted.items():
            found += LOOKS[key](call, inner, wants, saw, captured)
    if not found:
        return Verdict("pass", "", None, None, captured.new)
    seen = [{"request": one.endpoint, **plain(dict(one.words))} for one in calls]
    return Verdict("fail", "; ".join(dict.fromkeys(map(str, found[:5]))), plain(wants.expect), seen)


def _documented(call: Sent, inner: Any, wants: Wire, saw: Observation, names: Names) -> list[Difference]:
    del inner, saw, names
    right = wants.operation in call.operations
    return [] if right else [Difference("endpoint", " or ".join(wants.endpoints), call.endpoint)]


def _plainly(key: str) -> Any:
    def look(call: Sent, inner: Any, wants: Wire, saw: Observation, names: Names) -> list[Difference]:
        del wants, saw
        return differences(inner, getattr(call, key), names, key)

    return look


def _named(key: str, spell: Callable[[str], str] = str) -> Any:
    """
    Of a mapping, what is named.
    """

    def look(call: Sent, inner: Any, wants: Wire, saw: Observation, names: Names) -> list[Difference]:
        del wants, saw
        held = getattr(call, key)
        return [
            one
            for name, wanted in inner.items()
            for one in differences(wanted, held.get(spell(name), MISSING), names, f"{key}.{name}")
        ]

    return look


def _shown(call: Sent, inner: Any, wants: Wire, saw: Observation, names: Names) -> list[Difference]:
    """
    Of the fields of an instance, what the client shows is what the server answered, a status under its own name; of a
    failure it may show less.
    """
    del names
    told = shown(saw)
    was = {name: call.answer.get(name, MISSING) for name in inner}
    if "runtimeStatus" in was:
        was["runtimeStatus"] = wants.statuses.get(was["runtimeStatus"], was["runtimeStatus"])
    if wants.statuses and isinstance(was.get("failure"), dict) and told.get("failure"):
        was["failure"] = {key: value for key, value in was["failure"].items() if key in told["failure"]}
    pairs = ((name, one, told.get(name, MISSING)) for name, one in was.items())
    return [Difference(f"shown.{name}", one, tells) for name, one, tells in pairs if not _alike(one, tells)]


LOOKS: Mapping[str, Callable[..., list[Difference]]] = {
    "documented": _documented,
    "method": _plainly("method"),
    "template": _plainly("template"),
    "path": _plainly("path"),
    "body": _plainly("body"),
    "query": _named("query"),
    "headers": _named("headers", str.lower),
    "message": _named("message"),
    "sent": _named("words"),
    "shown": _shown,
}
"""Who looks at a part of a request, by the key of the check."""


def _alike(was: Any, tells: Any) -> bool:
    """
    Whether a client tells what was answered: a time to its own last digit, JSON as JSON, all else as it is.
    """
    then, told = instant(was), instant(tells)
    if then is not None and told is not None:
        fraction = _FRACTION.search(tells)
        unit: int = 10 ** (_DIGITS - len(fraction[1] if fraction else ""))
        return abs(then - told) < unit
    if isinstance(was, Text) and isinstance(tells, Text):
        return was.raw == tells.raw or _same_json(was.raw, tells.raw)
    return (was is MISSING and tells is MISSING) or (type(was) is type(tells) and same(was, tells))


def _same_json(one: str, other: str) -> bool:
    try:
        return same(parse(one), parse(other))
    except ValueError:
        return False


def _parameters(template: str, path: str) -> dict[str, str]:
    """
    The parameters of a path, decoded as a sidecar decodes them; none where the path is not of the template's length.
    """
    pattern, segments = template.split("/"), path.split("/")
    if len(pattern) != len(segments):
        return {}
    found = {}
    for name, value in zip(pattern, segments, strict=True):
        parameter = _PARAMETER.fullmatch(name)
        if parameter and parameter[1] in PARAMETERS:
            found[parameter[1]] = unquote_plus(value, errors="surrogateescape")
    return found


def _headers(exchange: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in exchange["headers"]:
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def _body(exchange: Mapping[str, Any]) -> Any:
    if exchange.get("body"):
        return Text(exchange["body"])
    raw = exchange.get("body_base64", "")
    return raw or MISSING


def _answered(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        body = parse(answer.get("body", ""))
    except ValueError:
        return {}
    return workflow(body) if isinstance(body, dict) else {}


def _fields(reads: Any) -> Callable[[bytes], Mapping[str, Any]]:
    return lambda raw: dict(reads(raw).fields)
