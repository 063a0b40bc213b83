"""
DRIVERS.md: the protocol between the kit and a driver, from `schemas/driver.json` and `drivers.yaml`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import spec

from .page import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROCESS = """\
A driver is one process that lives as long as a run. It puts one SDK between the kit and a sidecar: a *client* makes
the calls of an SDK's management client, a *worker* hosts the kit workflows in an SDK's workflow runtime.

- The kit writes requests to its stdin, the driver answers on its stdout: one JSON object a line, ended by `\\n`.
  Requests are escaped to ASCII; answers are ASCII or UTF-8, and a line of them has at most 16 MiB. Nothing else is
  written to stdout. Logs go to stderr; the last lines are quoted when something goes wrong.
- Every request has an `id`, a positive integer; its answer has the same, and either `ok` or `error`. Requests are
  served side by side, and answers come in any order: a wait keeps no other request.
- A request is answered once. An answer to an `id` that nobody asked, or a second one, ends the conversation, and so
  does a line that is no message. A driver that breaks off is started again, once in a run.
- After `stop` is answered, and when stdin ends, the driver closes what it opened and exits with 0.
- Where the sidecar is, stands in `hello` alone: no variable named `DAPR_...` reaches a driver. It answers `hello` once
  its SDK is loaded and connected; where that fails, with an error, and it exits with 1.

A driver has no expectation and no opinion: no retry, no sleep, no status of HTTP or gRPC, no comparison. It calls the
SDK and says what the SDK did. What went over the wire, the reference server sees itself.
"""

VERSIONS = """\
`protocol` in hello is the version that the kit speaks; a driver that speaks another says so in its answer, and is not
run. What version 1 does not name, a driver answers with the class `unsupported`.
"""

TYPES = {"number": "number", "integer": "integer", "string": "text", "boolean": "boolean", "object": "object"}


def drivers_md(head: str) -> str:
    """
    The page.
    """
    held, defs = spec.drivers(), spec.schema("driver")["$defs"]
    version = held["protocol"]
    verbs = [name.partition(".")[2] for name in defs if name.startswith("request.")]
    parts = [
        f"{head}# Drivers\n",
        f"The protocol between the kit and a driver of an SDK, version {version}.",
        "The messages are those of `schemas/driver.json`; words and examples stand in `drivers.yaml`.\n",
        PROCESS,
        "Prove a driver before you trust it: `workflow-conformance doctor --client 'CMD ARGS'`, or `--worker`.\n",
        "## Requests and answers\n",
        *(part for name in verbs for part in _message(name, defs)),
        "## A state\n",
        f"{defs['state']['description']}\n",
        table(["field", "", "in the API", "what it is"], _state(held, defs)),
        "## Errors\n",
        f"{defs['error']['description']} An error of a class that hello does not list is reported as `other`.\n",
        _fields(defs["error"], defs),
        table(["class", "what it means", "statuses of HTTP", "statuses of gRPC"], _classes(held)),
        "## A conversation with a client\n",
        _transcript(held["transcripts"]["client"]),
        "## A conversation with a worker\n",
        "Which workflows and which activity it registers, and what each does, stands in `workflows.yaml`.\n",
        _transcript(held["transcripts"]["worker"]),
        "## Versions\n",
        VERSIONS,
    ]
    return "\n".join(parts)


def _message(name: str, defs: Mapping[str, Any]) -> Iterator[str]:
    request = defs[f"request.{name}"]
    yield f"### {name}\n"
    yield f"{request['description']}\n"
    own = {key: one for key, one in request["properties"].items() if key not in ("id", "op")}
    if own:
        yield _fields({**request, "properties": own}, defs)
    for answer in (key for key in defs if key == f"ok.{name}" or key.startswith(f"ok.{name}.")):
        of = answer.removeprefix(f"ok.{name}").removeprefix(".")
        yield f"`ok`{f' of a {of}' if of else ''}: {defs[answer]['description']}\n"
        if defs[answer]["properties"]:
            yield _fields(defs[answer], defs)


def _fields(node: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    rows = [
        [f"`{key}`", _kind(one, defs), "" if key in node.get("required", ()) else "may be left out", _means(one, defs)]
        for key, one in node["properties"].items()
    ]
    return table(["field", "what", "", "what it says"], rows)


def _resolved(node: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    return defs[node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def _means(node: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    found = _resolved(node, defs)
    inner = [
        f"`{key}`: {one['description']}" for key, one in found.get("properties", {}).items() if "description" in one
    ]
    return " ".join([found.get("description", ""), *(inner if found.get("type") == "object" else [])])


def _kind(node: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    node = _resolved(node, defs)
    if "const" in node:
        return f"`{json.dumps(node['const'])}`"
    if "enum" in node:
        return " ".join(f"`{one}`" for one in node["enum"])
    if "oneOf" in node:
        return "object or null"
    kind = node.get("type", "any JSON")
    if kind == "array":
        return f"list of {_kind(node['items'], defs)}"
    return " or ".join(TYPES.get(one, one) for one in ([kind] if isinstance(kind, str) else kind))


def _state(held: Mapping[str, Any], defs: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, one in defs["state"]["properties"].items():
        must = "" if name in defs["state"]["required"] else "as `fields` of hello says"
        yield [f"`{name}`", must, f"`{held['fields'][name]}`", _means(one, defs)]


def _classes(held: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, one in held["classes"].items():
        yield [f"`{name}`", one["means"], ", ".join(map(str, one.get("http", ()))), ", ".join(one.get("grpc", ()))]


def _transcript(lines: list[Mapping[str, Any]]) -> str:
    told = [
        f"\n# {one['say']}" if "say" in one else f"{'->' if 'op' in one else '<-'} {json.dumps(one)}" for one in lines
    ]
    return "```\n" + "\n".join(told).strip() + "\n```\n"
