"""
The OpenAPI document, compiled: requests are built from it, and every answer is held against it.

Rule 1: nothing here knows an operation by name; paths, parameters and schemas are the document's.
Rule 2: a status or a content type that the document does not list is a problem, as is a body that its schema refuses.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import jsonschema_rs

from .match import parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ABSENT = "x-may-be-absent"
"""Marks a schema of the document whose body may be left out."""

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PARAMETER = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Operation:
    """
    One operation of the document. `answers` maps a status to its media types; no media types: no body.
    """

    id: str
    operation: str
    method: str
    prefix: str
    path: str
    query: tuple[str, ...]
    answers: Mapping[int, Mapping[str, jsonschema_rs.Draft202012Validator]]

    def target(self, version: str, values: Mapping[str, str]) -> str:
        """
        Path and query of a request, every value percent-encoded; parameters without a value stay out of the query.
        """
        path = _PARAMETER.sub(lambda found: encode(values[found[1]]), self.path)
        query = "&".join(f"{name}={encode(values[name])}" for name in self.query if name in values)
        prefix = self.prefix.replace("{version}", version)
        return f"{prefix}{path}?{query}" if query else prefix + path


class Contract:
    """
    Every operation of the document.
    """

    def __init__(self, openapi: Mapping[str, Any]) -> None:
        self.openapi = openapi
        self.versions: tuple[str, ...] = tuple(openapi["servers"][0]["variables"]["version"]["enum"])
        self.operations = [
            self._operation(path, item, method)
            for path, item in openapi["paths"].items()
            for method in METHODS
            if method in item
        ]
        self._by_id = {one.id: one for one in self.operations}
        self._by_name = {one.operation: one for one in self.operations if one.operation}
        self._probes = {
            item[method]["operationId"]: item[method]["x-probe"]
            for item in openapi["paths"].values()
            for method in METHODS
            if "x-probe" in item.get(method, {})
        }
        self._routes = [(one, _route(one, self.versions)) for one in self.operations]
        self._bare = {
            (one["operationId"], int(status))
            for item in openapi["paths"].values()
            for one in (item[method] for method in METHODS if method in item)
            for status, answer in one["responses"].items()
            if any(
                self._resolved(of.get("schema", {})).get(ABSENT)
                for of in self._resolved(answer).get("content", {}).values()
            )
        }
        self._schemas = {name: self._validator({"$ref": f"#/components/schemas/{name}"}) for name in self._named()}

    def operation(self, name: str) -> Operation:
        """
        The operation that machine.yaml calls by this name.
        """
        return self._by_name[name]

    def endpoints(self, operation: str) -> tuple[str, ...]:
        """
        Where an operation is documented: method and path, in each version.
        """
        found = self._by_name[operation]
        return tuple(f"{found.method} {found.prefix.replace('{version}', one)}{found.path}" for one in self.versions)

    def probe(self, kind: str) -> Operation:
        """
        The first operation that the document marks as a probe of this kind.
        """
        return self._by_id[next(one for one in self._probes if self._probes[one] == kind)]

    def route(self, method: str, target: str) -> str:
        """
        The id of the workflow operation that a raw request is beyond doubt for, or the empty string.

        A path that a server would clean up (empty or dot segments) is for none.
        """
        path = target.partition("?")[0]
        if any(unquote(segment) in ("", ".", "..") for segment in path.split("/")[1:]):
            return ""
        for operation, pattern in self._routes:
            if operation.operation and operation.method == method and pattern.fullmatch(path):
                return operation.id
        return ""

    def problems(self, operation: str, status: int, media: str, body: bytes) -> list[str]:
        """
        In what an answer is not as the document says.
        """
        answers = self._by_id[operation].answers
        if status not in answers:
            documented = ", ".join(map(str, answers))
            return [f"{operation} does not document status {status}; it documents {documented}"]
        kinds = answers[status]
        if not body and (operation, status) in self._bare:
            return []
        if not kinds:
            return [f"status {status} has no body, and {len(body)} bytes came"] if body else []
        kind = media.partition(";")[0].strip().lower()
        if kind not in kinds:
            return [f"status {status} comes as {' or '.join(kinds)}, not as {media or 'nothing'}"]
        return _invalid(kinds[kind], kind, body)

    def schema_problems(self, name: str, body: bytes) -> list[str]:
        """
        In what a JSON body is not as a named schema says; one with `x-may-be-absent` may be left out.
        """
        if not body and self.openapi["components"]["schemas"][name].get(ABSENT):
            return []
        return _invalid(self._schemas[name], "application/json", body)

    def _named(self) -> list[str]:
        return list(self.openapi["components"]["schemas"])

    def _operation(self, path: str, item: Mapping[str, Any], method: str) -> Operation:
        fields = item[method]
        server = (fields.get("servers") or item.get("servers") or self.openapi["servers"])[0]["url"]
        parameters = [self._resolved(one) for one in (*item.get("parameters", ()), *fields.get("parameters", ()))]
        return Operation(
            id=fields["operationId"],
            operation=fields.get("x-operation", ""),
            method=method.upper(),
            prefix=urlsplit(server).path,
            path=path,
            query=tuple(one["name"] for one in parameters if one["in"] == "query"),
            answers={int(status): self._media(answer) for status, answer in fields["responses"].items()},
        )

    def _media(self, answer: Mapping[str, Any]) -> Mapping[str, jsonschema_rs.Draft202012Validator]:
        content = self._resolved(answer).get("content", {})
        return {kind.lower(): self._validator(one.get("schema", True)) for kind, one in content.items()}

    def _validator(self, schema: Any) -> jsonschema_rs.Draft202012Validator:
        whole = {"components": self.openapi["components"], "allOf": [schema]}
        return _compiled(json.dumps(whole, sort_keys=True))

    def _resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in node:
            found: Any = self.openapi
            for part in str(node["$ref"]).removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            node = found
        return node


@cache
def _compiled(schema: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(json.loads(schema), validate_formats=True)


def encode(text: str) -> str:
    """
    A value as one segment of a path or in a query: everything but letters, digits, `-._~` percent-encoded,
    and the dots of `.` and `..` too.
    """
    if text in (".", ".."):
        return text.replace(".", "%2E")
    return quote(text, safe="")


def _route(operation: Operation, versions: Sequence[str]) -> re.Pattern[str]:
    prefix = re.escape(operation.prefix).replace(r"\{version\}", f"(?:{'|'.join(map(re.escape, versions))})")
    path = "".join(
        "[^/]+" if index % 2 else re.escape(part) for index, part in enumerate(_PARAMETER.split(operation.path))
    )
    return re.compile(prefix + path)


def _invalid(validator: jsonschema_rs.Draft202012Validator, kind: str, body: bytes) -> list[str]:
    if not (kind == "application/json" or kind.endswith("+json")):
        try:
            value: Any = body.decode()
        except UnicodeDecodeError:
            return ["the body is not UTF-8"]
    else:
        try:
            value = parse(body)
        except ValueError as error:
            return [f"the body is not JSON: {error}"]
    try:
        if validator.is_valid(value):
            return []
        return [
            f"{'.'.join(map(str, error.instance_path)) or 'body'}: {error.message[:300]}"
            for error in validator.iter_errors(value)
        ]
    except ValueError as error:  # a number of so many digits that no text can show it
        return [f"the body cannot be looked at: {str(error)[:300]}"]
