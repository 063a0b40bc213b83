from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

import spec

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = spec.openapi()
LOADED = [spec.load(name) for name in spec.profiles()]
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
OPERATIONS = {
    operation["operationId"]: (path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in METHODS
}
WORKFLOW = {operation["x-operation"]: operation for _, operation in OPERATIONS.values() if "x-operation" in operation}

each_operation = pytest.mark.parametrize("name", OPERATIONS)
each_workflow_operation = pytest.mark.parametrize("name", WORKFLOW)


def resolve(node: Any) -> Any:
    while isinstance(node, dict) and "$ref" in node:
        pointer = node["$ref"]
        assert pointer.startswith("#/")
        node = DOCUMENT
        for part in pointer[2:].split("/"):
            node = node[part]
    return node


def walk(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(value)


def validator(schema: Any) -> jsonschema_rs.Draft202012Validator:
    body = schema if isinstance(schema, bool) else {**schema, "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(body, validate_formats=True)


def test_the_document_is_openapi_3_1() -> None:
    """
    It has the fields that OpenAPI 3.1 demands, and no method or field of a path that it does not know.
    """
    assert re.fullmatch(r"3\.1\.\d+", DOCUMENT["openapi"])
    assert {"title", "version"} <= set(DOCUMENT["info"])
    for path, item in DOCUMENT["paths"].items():
        assert path.startswith("/")
        assert set(item) <= {*METHODS, "servers", "parameters", "summary", "description"}


def test_every_reference_leads_somewhere() -> None:
    """
    No $ref dangles, and no component goes unused.
    """
    references = {node["$ref"] for node in walk(DOCUMENT) if isinstance(node.get("$ref"), str)}
    for pointer in references:
        assert resolve({"$ref": pointer}) is not None

    components = {
        f"#/components/{kind}/{name}"
        for kind in ("parameters", "requestBodies", "responses", "schemas")
        for name in DOCUMENT["components"][kind]
    }
    assert components == references


def test_operation_ids_are_unique() -> None:
    """
    Each operation has an ID of its own.
    """
    named = [op["operationId"] for item in DOCUMENT["paths"].values() for key, op in item.items() if key in METHODS]

    assert sorted(set(named)) == sorted(named)


@each_operation
def test_the_parameters_of_a_path_are_declared(name: str) -> None:
    """
    Exactly the templates of the path are its path parameters, each required; every parameter is described.
    """
    path, operation = OPERATIONS[name]
    parameters = [resolve(parameter) for parameter in operation.get("parameters", ())]

    assert {one["name"] for one in parameters if one["in"] == "path"} == set(re.findall(r"{(\w+)}", path))
    assert len({(one["name"], one["in"]) for one in parameters}) == len(parameters)
    for one in parameters:
        assert one["required"] is (one["in"] == "path")
        assert one["description"]
        assert "schema" in one


@each_operation
def test_responses_are_described(name: str) -> None:
    """
    An operation has responses, each with a status and a description.
    """
    _, operation = OPERATIONS[name]

    assert operation["responses"]
    for status, response in operation["responses"].items():
        assert re.fullmatch(r"[1-5]\d\d", status)
        assert resolve(response)["description"]


@each_operation
def test_tags_are_declared(name: str) -> None:
    """
    An operation has a tag that the document describes, and a summary.
    """
    _, operation = OPERATIONS[name]

    assert operation["tags"]
    assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}
    assert operation["summary"]


def test_schemas_are_json_schema() -> None:
    """
    Every schema of the document is one of JSON Schema 2020-12.
    """
    for node in walk(DOCUMENT):
        if "schema" in node:
            jsonschema_rs.meta.validate(
                {"$schema": "https://json-schema.org/draft/2020-12/schema", **node["schema"]}
                if isinstance(node["schema"], dict)
                else node["schema"]
            )
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)


def examples() -> list[tuple[Any, Any]]:
    found = []
    for node in walk(DOCUMENT):
        if "schema" in node:
            values = [node["example"]] if "example" in node else []
            values += [example["value"] for example in node.get("examples", {}).values()]
            found += [(node["schema"], value) for value in values]
    return found


def test_there_are_examples() -> None:
    """
    Parameters, requests and responses have examples; a test of none would show nothing.
    """
    assert len(examples()) >= 10


@pytest.mark.parametrize(("schema", "value"), examples())
def test_examples_keep_their_schemas(schema: Any, value: object) -> None:
    """
    An example is valid under the schema beside it.
    """
    assert [error.message for error in validator(schema).iter_errors(value)] == []


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("StartResponse", {}),
        ("StartResponse", {"instanceID": ""}),
        ("StartResponse", {"instanceID": 7}),
        ("Empty", {"a": 1}),
        ("Empty", None),
        ("Error", {"errorCode": "ERR_X"}),
        ("Error", {"errorCode": "oops", "message": "m"}),
        ("Error", {"errorCode": "ERR_X", "message": ""}),
        ("Timestamp", "2026-01-12T21:31:13.9Z"),
        ("Timestamp", "2026-01-12T21:31:13+00:00"),
        ("Timestamp", "2026-13-12T21:31:13Z"),
        ("Workflow", {"instanceID": "a", "createdAt": "2026-01-12T21:31:13Z", "lastUpdatedAt": "2026-01-12T21:31:13Z"}),
        ("Metadata", {}),
    ],
)
def test_schemas_refuse(schema: str, value: object) -> None:
    """
    What an answer must not look like is not valid.
    """
    assert not validator({"$ref": f"#/components/schemas/{schema}"}).is_valid(value)


@pytest.mark.parametrize(
    ("word", "valid"),
    [("RUNNING", True), ("UNKNOWN", True), ("Running", False), ("running", False), ("STALLED", False), ("", False)],
)
def test_status_words_are_upper_case(word: str, valid: bool) -> None:  # noqa: FBT001 - a table
    """
    Only the words of the API are status words.
    """
    time = "0001-01-01T00:00:00Z"
    value = {"instanceID": "a", "createdAt": time, "lastUpdatedAt": time, "runtimeStatus": word}

    assert validator({"$ref": "#/components/schemas/Workflow"}).is_valid(value) is valid


def test_operations_are_those_of_the_machine() -> None:
    """
    The document has each operation of the machine that HTTP offers once, and no other.
    """
    named = [operation["x-operation"] for _, operation in OPERATIONS.values() if "x-operation" in operation]

    assert sorted(named) == sorted(LOADED[0].machine.offered("http"))


def test_links_point_at_operations() -> None:
    """
    A link leads to an operation, fills each of its path parameters, and names no parameter that it lacks.
    """
    links = [link for node in walk(DOCUMENT) for link in node.get("links", {}).values()]

    assert links
    for link in links:
        _, operation = OPERATIONS[link["operationId"]]
        parameters = [resolve(parameter) for parameter in operation["parameters"]]
        assert {one["name"] for one in parameters if one["in"] == "path"} <= set(link["parameters"])
        assert set(link["parameters"]) <= {one["name"] for one in parameters}


def test_start_links_to_every_other_operation() -> None:
    """
    From a start every operation that takes an instance can be followed.
    """
    (start,) = (op for op in WORKFLOW.values() if any("links" in resolve(one) for one in op["responses"].values()))
    links = [
        link["operationId"] for response in start["responses"].values() for link in response.get("links", {}).values()
    ]

    assert sorted([start["operationId"], *links]) == sorted(op["operationId"] for op in WORKFLOW.values())


def rows(name: str) -> set[str]:
    """
    The rows that may answer an operation: those of its cells, its parameters, and of the rules for requests.
    """
    found = {row for loaded in LOADED for states in loaded.machine.table.values() for row in cell_rows(states[name])}
    for parameter in WORKFLOW[name]["parameters"]:
        found |= {refusal["reply"] for refusal in resolve(parameter).get("x-refusals", ())}
    found |= {row for row in ("body.too_large", "path.malformed", "token.missing") if row in LOADED[0].replies}
    found |= {"body.malformed"} if WORKFLOW[name]["x-body"] == "json-object" else set()
    found |= {row for row in LOADED[0].replies if row.partition(".")[0] == name}
    return {row for row in found - {spec.UNSPECIFIED} if "http" in LOADED[0].replies[row].surfaces}


def cell_rows(cell: spec.Cell) -> set[str]:
    return {cell.reply, cell.acts}.union(*(cell_rows(inner) for inner in cell.when.values()))


def statuses(row: str) -> set[str]:
    status = LOADED[0].replies[row].surfaces.get("http", {"status": []})["status"]
    return {str(one) for one in (status if isinstance(status, list) else [status])}


@each_workflow_operation
def test_what_may_be_answered_is_documented(name: str) -> None:
    """
    Each row that may answer an operation has a status that its responses list; one of several will do.
    """
    documented = set(WORKFLOW[name]["responses"])
    for row in rows(name):
        assert statuses(row) & documented, row


@each_workflow_operation
def test_what_is_documented_may_be_answered(name: str) -> None:
    """
    Each status that an operation lists is that of a row that may answer it, or of a refusal at all.
    """
    answered = set().union(*(statuses(row) for row in rows(name)))
    any_refusal = set().union(*(statuses(row) for row in LOADED[0].replies if len(statuses(row)) > 1))

    assert set(WORKFLOW[name]["responses"]) <= answered | any_refusal


@each_workflow_operation
def test_bodies_are_those_of_the_rows(name: str) -> None:
    """
    The body that a row names is the schema of the response with its status, and its content type is listed.
    """
    for row in rows(name):
        column = LOADED[0].replies[row].surfaces["http"]
        for status in statuses(row) & set(WORKFLOW[name]["responses"]):
            content = resolve(WORKFLOW[name]["responses"][status])["content"]
            media = column.get("media", "application/json")
            assert media in content, row
            if media == "application/json":
                wanted = f"#/components/schemas/{column.get('body', 'Error')}"
                assert content[media]["schema"]["$ref"] == wanted, row


def test_refusals_of_parameters_are_rows() -> None:
    """
    A parameter names a refusal for keywords that it has, and the row exists and refuses.
    """
    for node in walk(DOCUMENT):
        for refusal in node.get("x-refusals", ()):
            assert refusal["keyword"] in {*node, *node["schema"]}
            assert LOADED[0].replies[refusal["reply"]].outcome == "refused"
        assert set(node.get("x-profiles", ())) <= set(spec.profiles())


INSTANCE = next(resolve(one) for one in WORKFLOW["start"]["parameters"] if resolve(one)["name"] == "instanceID")


@pytest.mark.parametrize(
    ("text", "valid"),
    [(text, True) for text in ("a", "A-z_0", "-", "_", "0123", "héllo", "日本語", "٣", "ß", "a" * 64)]
    + [(text, False) for text in ("", " ", "a b", "a ", "a\n", "a.b", "a:b", "a|b", "a/b", "a+b", "a%20b", "a~", "a@b")]
    + [(text, False) for text in ("😀", "e\u0301", "½", "Ⅷ", "²", "a\u200b", "a\x00", "\ufffd", "a" * 65)],
)
def test_the_pattern_of_an_id(text: str, valid: bool) -> None:  # noqa: FBT001 - a table
    """
    A new ID has letters and decimal digits of any script, underscores and dashes, and nothing else.
    """
    assert validator(INSTANCE["schema"]).is_valid(text) is valid


@pytest.mark.parametrize(
    ("text", "valid"), [("", True), ("app-1_A", True), ("a b", False), ("é", False), ("a.b", False)]
)
def test_the_pattern_of_an_application(text: str, valid: bool) -> None:  # noqa: FBT001 - a table
    """
    The ID of an application is ASCII, with dashes and underscores.
    """
    assert validator(DOCUMENT["components"]["parameters"]["appID"]["schema"]).is_valid(text) is valid
