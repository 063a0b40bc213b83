"""
The endpoints below /__control/: requests in, values of the watch and of the stage out.

Rule 1: what is taken is under spec/schemas/control.json; what is refused says why, and changes nothing.
Rule 2: a caller that is not on this machine is refused, and so is a browser that another site sends here.
"""

from __future__ import annotations

import base64
import ipaddress
import json
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import jsonschema_rs
from google.protobuf import json_format
from google.protobuf.message import DecodeError

import spec
from reference_server.answers import encoded, response
from reference_server.bodies import Gone, TooLarge, read
from spec import wire

from .trouble import troubles
from .watch import HTTP, OK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from reference_server.ports import WoundClock

    from .tape import Exchange, Page
    from .watch import Watch

PREFIX = "/__control"
VERSION = 1
USUAL, MOST = 100, 1000
"""Exchanges on a page, unless somebody asks for another number, and at most."""

_LARGEST = 1 << 20
_SECOND = 10**9
Given = dict[str, Any]


class Stage(Protocol):
    """
    What of the server can be changed.
    """

    clock: WoundClock
    watch: Watch

    @property
    def mutant(self) -> str:
        """
        The mutant that it is, empty for none.
        """

    def become(self, mutant: str) -> None:
        """
        Begin anew as a mutant. Raises SpecError where there is none of this name.
        """

    def poke(self) -> None:
        """
        It may be later than the server thinks.
        """


class RefusedError(Exception):
    """
    A request to the control that is not carried out; the text says why.
    """

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class Desk:
    """
    The endpoints, for one stage.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._resources: Mapping[str, Mapping[str, Callable[[Given], Given]]] = {
            "": {"GET": self._overview},
            "exchanges": {"GET": self._exchanges, "DELETE": self._cleared},
            "clock": {"GET": self._clock, "PUT": self._wound},
            "faults": {"GET": self._faults, "PUT": self._troubled},
            "mutant": {"GET": self._mutant, "PUT": self._became},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Answer one request.
        """
        try:
            answer = await self._answered(scope, receive)
            status = HTTPStatus.OK
        except RefusedError as refused:
            status, answer = refused.status, {"version": VERSION, "error": str(refused)}
        except Gone:
            return
        await response(status, encoded(answer)).send(send)

    async def _answered(self, scope: Scope, receive: Receive) -> Given:
        _admitted(scope)
        name = scope["raw_path"].decode("latin-1").removeprefix(PREFIX).strip("/")
        resource = self._resources.get(name)
        if resource is None:
            known = ", ".join(f"{PREFIX}/{one}" for one in self._resources)
            raise RefusedError(HTTPStatus.NOT_FOUND, f"there are {known}")
        method = scope["method"]
        if method not in resource:
            raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, f"{PREFIX}/{name} takes {', '.join(resource)}")
        if method == "PUT":
            return resource[method](await _body(receive, name))
        return resource[method](dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)))

    def _overview(self, _: Given) -> Given:
        tape = self._stage.watch.tape
        kept = {"kept": len(tape), "last": str(tape.last)}
        return {
            "version": VERSION,
            "exchanges": kept,
            **_unversioned(self._clock({}), self._faults({}), self._mutant({})),
        }

    def _exchanges(self, query: Given) -> Given:
        unknown = [key for key in query if key not in ("after", "limit")]
        if unknown:
            raise RefusedError(HTTPStatus.BAD_REQUEST, f"{unknown[0]}: after and limit are what there is to ask with")
        after, limit = _number(query, "after", 0, 1 << 62), _number(query, "limit", USUAL, MOST)
        page: Page = self._stage.watch.tape.page(after, max(limit, 1))
        shown = [_shown(one) for one in page.exchanges]
        told = {"cursor": str(page.cursor), "more": page.more, "missing": page.missing}
        return {"version": VERSION, "exchanges": shown, **told}

    def _cleared(self, _: Given) -> Given:
        self._stage.watch.tape.clear()
        return self._exchanges({"after": str(self._stage.watch.tape.last)})

    def _clock(self, _: Given) -> Given:
        clock = self._stage.clock
        return {"version": VERSION, "now": _time(clock.now()), "stopped": clock.stopped}

    def _wound(self, given: Given) -> Given:
        clock = self._stage.clock
        if "stopped" in given:
            (clock.stop if given["stopped"] else clock.go)()
        clock.advance(int(given.get("advance", 0) * _SECOND))
        self._stage.poke()
        return self._clock({})

    def _faults(self, _: Given) -> Given:
        return {"version": VERSION, "faults": [one.as_data() for one in self._stage.watch.troubles]}

    def _troubled(self, given: Given) -> Given:
        self._stage.watch.troubles = troubles(given["faults"])
        return self._faults({})

    def _mutant(self, _: Given) -> Given:
        return {"version": VERSION, "mutant": self._stage.mutant}

    def _became(self, given: Given) -> Given:
        try:
            self._stage.become(given["mutant"])
        except spec.SpecError as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from None
        return self._mutant({})


def _admitted(scope: Scope) -> None:
    """
    Raises RefusedError for a caller that is not on this machine, or that is a page of another site.
    """
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    host = urlsplit("//" + headers.get("host", "localhost")).hostname or ""
    caller = (scope.get("client") or ("", 0))[0]
    if not (_local(caller) and (host == "localhost" or _local(host))) or "origin" in headers:
        raise RefusedError(HTTPStatus.FORBIDDEN, f"{PREFIX} answers programs on this machine, by its loopback address")


def _local(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


async def _body(receive: Receive, name: str) -> Given:
    try:
        data = json.loads(await read(receive, _LARGEST))
    except TooLarge:
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {_LARGEST} bytes are taken") from None
    except (ValueError, RecursionError) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from None
    for wrong in _validator(name).iter_errors(data):
        place = "/".join(map(str, wrong.instance_path))
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"{place or 'body'}: {wrong.message}")
    return dict(data)


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    definitions = spec.schema("control")["$defs"]
    return jsonschema_rs.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions})


def _number(query: Given, key: str, usual: int, most: int) -> int:
    text = query.get(key, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):  # noqa: PLR2004 - of 64 bits
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"{key}={text}: a number up to {most} is expected")
    return int(text)


def _unversioned(*answers: Given) -> Given:
    return {key: value for one in answers for key, value in one.items() if key != "version"}


def _time(now: int) -> str:
    moment = datetime.fromtimestamp(now // _SECOND, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{now % _SECOND // 1000:06d}Z"


def _shown(exchange: Exchange) -> Given:
    """
    An exchange as the schema has it.
    """
    kinds = _messages().get(exchange.path, (None, None))
    answer = exchange.answer
    found: Given = {
        "n": exchange.number,
        "at": _time(exchange.at),
        "surface": exchange.surface,
        "method": exchange.method,
        "template": exchange.template,
        "path": exchange.path,
        "query": exchange.query,
        "headers": [list(one) for one in exchange.headers],
        **({"timeout": exchange.timeout} if exchange.timeout is not None else {}),
        **_content(exchange.surface, exchange.body, kinds[0]),
        **({"cut": True} if exchange.cut else {}),
        "answer": None,
    }
    if answer is not None:
        told = {"headers": [list(one) for one in answer.headers], "details": answer.details}
        body = answer.body if exchange.surface == HTTP or answer.status == OK else None
        shown = _content(exchange.surface, body, kinds[1]) if body is not None else {}
        found["answer"] = {"status": answer.status, **{key: value for key, value in told.items() if value}, **shown}
    return found


def _content(surface: str, body: bytes, kind: Any) -> Given:
    """
    A body as text, or as base64 with the message that its bytes are.
    """
    if surface == HTTP:
        try:
            return {"body": body.decode()}
        except UnicodeDecodeError:
            return {"body_base64": base64.b64encode(body).decode()}
    found: Given = {"body_base64": base64.b64encode(body).decode()}
    if kind is not None:
        try:
            message = kind.FromString(body)
            found["message"] = json_format.MessageToDict(message, preserving_proto_field_name=True)
        except (DecodeError, json_format.SerializeToJsonError, ValueError):
            pass  # the bytes say what there is to say
    return found


@cache
def _messages() -> Mapping[str, tuple[Any, Any]]:
    return {one.path: (one.request, one.response) for methods in wire.services().values() for one in methods.values()}
