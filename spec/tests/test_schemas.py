from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

import spec

FOLDER = Path(spec.__file__).parent
FILES = {
    "machine.yaml": "machine",
    "replies.yaml": "replies",
    "grpc.yaml": "grpc",
    "workflows.yaml": "workflows",
    "walks.yaml": "walks",
    "divergences.yaml": "divergences",
    "drivers.yaml": "drivers",
    "mutants.yaml": "mutants",
    "equivalent_mutants.yaml": "equivalent_mutants",
    **{f"rules/{path.name}": "rules" for path in sorted((FOLDER / "rules").iterdir())},
    **{f"profiles/{path.name}": "profile" for path in sorted((FOLDER / "profiles").iterdir())},
}
SCHEMAS = sorted(path.stem for path in (FOLDER / "schemas").iterdir())
CELL = ("table", "RUNNING", "pause")

each_file = pytest.mark.parametrize("name", FILES)
each_schema = pytest.mark.parametrize("name", SCHEMAS)


def errors(schema: str, data: Any) -> list[str]:
    return [error.message for error in jsonschema_rs.Draft202012Validator(dict(spec.schema(schema))).iter_errors(data)]


@each_schema
def test_a_schema_is_one(name: str) -> None:
    """
    Every schema is valid JSON Schema 2020-12, says what it is of, and allows no key it does not know.
    """
    schema = dict(spec.schema(name))

    jsonschema_rs.meta.validate(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"].endswith(f"/{name}.json")
    assert schema["title"]
    assert schema["description"]


def test_every_file_has_a_schema() -> None:
    """
    Each YAML file here is under a schema, but for the API document, which is under OpenAPI's.
    """
    files = {str(path.relative_to(FOLDER).as_posix()) for path in FOLDER.rglob("*.yaml")}

    assert files - set(FILES) == {"openapi.yaml"}


@each_file
def test_a_file_keeps_its_schema(name: str) -> None:
    """
    Each file is valid, and tells editors in its first line which schema that is.
    """
    data = spec.document(name).data
    first = (FOLDER / name).read_text(encoding="utf-8").splitlines()[0]

    assert errors(FILES[name], data) == []
    named = (FOLDER / name).parent / first.removeprefix("# yaml-language-server: $schema=")
    assert named.resolve() == (FOLDER / "schemas" / f"{FILES[name]}.json").resolve()


@each_file
@pytest.mark.parametrize("change", [{"version": 2}, {"version": "1"}, {"unheard": "of"}])
def test_a_file_of_another_form_is_refused(name: str, change: dict[str, Any]) -> None:
    """
    Another version, and a key that nobody knows, are refused in every file.
    """
    assert errors(FILES[name], {**spec.document(name).data, **change})


BROKEN: list[tuple[str, tuple[str | int, ...], Any]] = [
    ("machine.yaml", ("states", "RUNNING", "terminal"), "no"),
    ("machine.yaml", ("states", "RUNNING", "reported"), {"grpc": "RUNNING"}),
    ("machine.yaml", ("states", "running"), {}),
    ("machine.yaml", ("operations", "pause"), {}),
    ("machine.yaml", ("happenings", "begin"), {"means": "x"}),
    ("machine.yaml", CELL, {}),
    ("machine.yaml", (*CELL, "settles"), []),
    ("machine.yaml", (*CELL, "settles"), "SUSPENDED"),
    ("machine.yaml", (*CELL, "rules"), ["WF-PAUSE-001"]),
    ("machine.yaml", (*CELL, "rules"), ["WF-PAUSE-001", "PAUSE"]),
    ("machine.yaml", (*CELL, "impossible"), "both"),
    ("machine.yaml", (*CELL, "reply"), None),
    ("machine.yaml", ("table", "RUNNING", "complete"), {"impossible": ""}),
    ("machine.yaml", ("table", "COMPLETED", "purge", "when", "child_active"), {"reply": "accepted"}),
    ("replies.yaml", ("replies", "accepted", "outcome"), "fine"),
    ("replies.yaml", ("replies", "accepted", "rule"), "WF-1"),
    ("replies.yaml", ("replies", "accepted", "http"), {}),
    ("replies.yaml", ("replies", "accepted", "http", "status"), "202"),
    ("replies.yaml", ("replies", "accepted", "http", "demands"), ["message"]),
    ("replies.yaml", ("replies", "get.absent", "http", "errorCode"), "NOT_FOUND"),
    ("replies.yaml", ("replies", "get.absent", "taskhub", "code"), "FINE"),
    ("replies.yaml", ("replies", "get.absent", "grpc"), {"code": "OK"}),
    ("rules/get.yaml", ("rules", 0, "id"), "WF-get-1"),
    ("rules/get.yaml", ("rules", 0, "level"), "must"),
    ("rules/get.yaml", ("rules", 0, "level"), "PROFILE"),
    ("rules/get.yaml", ("rules", 0, "statement"), "No full stop"),
    ("rules/get.yaml", ("rules", 0, "source"), ""),
    ("rules/get.yaml", ("rules", 0, "surfaces"), ["grpc"]),
    ("rules/get.yaml", ("rules", 0, "profiles"), []),
    ("rules/get.yaml", ("rules", 0, "since"), 1.16),
    ("rules/get.yaml", ("rules", 0, "excluded"), ""),
    ("rules/get.yaml", ("rules", 0, "exclude"), "misspelt"),
    ("profiles/documented.yaml", ("features", "flying"), True),
    ("profiles/documented.yaml", ("claims",), []),
    ("profiles/documented.yaml", ("claims", 0, "evidence"), "hearsay"),
    ("profiles/documented.yaml", ("claims", 0, "machine", "RUNNING", "start"), {}),
    ("profiles/documented.yaml", ("claims", 0, "machine", "RUNNING", "start", "replies"), "accepted"),
    ("workflows.yaml", ("instructions", "sleep", "value"), "no"),
    ("workflows.yaml", ("recipes", "wait"), {"do": []}),
    ("workflows.yaml", ("recipes", "event"), ""),
    ("walks.yaml", ("recipes", "timer", "do"), []),
    ("walks.yaml", ("answers", "input"), "GET-008"),
    ("walks.yaml", ("of_child",), {"start": "WF-CHILD-001"}),
    ("workflows.yaml", ("workflows", "ConformanceEcho", "inputs"), "x"),
    ("divergences.yaml", ("divergences", 0, "where"), {"runtime": "alone"}),
    ("divergences.yaml", ("divergences", 0, "where", "users"), "x"),
    ("divergences.yaml", ("divergences", 0, "evidence"), []),
    ("divergences.yaml", ("divergences", 0, "evidence"), ["hearsay"]),
    ("divergences.yaml", ("divergences", 0, "evidence"), ["/home/of/someone"]),
    ("divergences.yaml", ("divergences", 0, "title"), "A sentence."),
    ("drivers.yaml", ("classes", "sad"), {"means": "x"}),
    ("drivers.yaml", ("classes", "not_found", "http"), [200]),
    ("drivers.yaml", ("classes", "not_found", "grpc"), ["404"]),
    ("drivers.yaml", ("fields", "instance"), "instance_id"),
    ("drivers.yaml", ("protocol",), 2),
    ("drivers.yaml", ("transcripts", "client", 1), {"op": "hello"}),
    ("mutants.yaml", ("faults", 0, "rules"), ["START"]),
    ("mutants.yaml", ("faults", 0, "cell"), "RUNNING.pause"),
    ("mutants.yaml", ("fields", "get", "instanceID", "upside_down"), ["WF-GET-004"]),
    ("grpc.yaml", ("surfaces", "http"), {}),
    ("grpc.yaml", ("surfaces", "taskhub", "operations", "get", "method"), "get"),
    ("grpc.yaml", ("surfaces", "taskhub", "operations", "get", "answers"), {}),
    ("grpc.yaml", ("surfaces", "taskhub", "operations", "get", "fields", "payloads"), "a..b"),
    ("grpc.yaml", ("surfaces", "taskhub", "operations", "start", "with_effect"), "later"),
    ("grpc.yaml", ("surfaces", "taskhub", "operations", "purge", "refusals"), [{"field": "filter"}]),
    ("grpc.yaml", ("surfaces", "taskhub", "every", "method"), "Get"),
    ("grpc.yaml", ("others", "hub", "methods"), []),
    ("replies.yaml", ("replies", "wait.absent"), {"outcome": "refused", "rule": "WF-ERR-022", "source": "s"}),
    ("equivalent_mutants.yaml", ("equivalent", 0, "reason"), "because"),
]


@pytest.mark.parametrize(("name", "path", "value"), BROKEN)
def test_a_broken_sample_is_refused(name: str, path: tuple[str | int, ...], value: object) -> None:
    """
    One wrong value anywhere makes a file invalid.
    """
    data = copy.deepcopy(spec.document(name).data)
    place = data
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value

    assert errors(FILES[name], data)


def test_every_schema_of_these_files_is_broken_once() -> None:
    """
    The samples above reach every schema of this folder's own files.
    """
    assert {FILES[name] for name, _, _ in BROKEN} == set(FILES.values())
