from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import spec

if TYPE_CHECKING:
    from spec.model import Reply

LOADED = {name: spec.load(name) for name in spec.profiles()}
BASE = LOADED[spec.DEFAULT_PROFILE]
ROWS = list(BASE.replies.values())
GRPC = {"dapr_grpc", "taskhub"}

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
each_row_of_http = pytest.mark.parametrize(
    "row", [row for row in ROWS if "http" in row.surfaces], ids=lambda row: row.name
)


def cells(loaded: spec.Spec) -> list[spec.Cell]:
    plain = [cell for row in loaded.machine.table.values() for cell in row.values()]
    return plain + [inner for cell in plain for inner in cell.when.values()]


def refusals(node: Any) -> set[str]:
    if isinstance(node, dict):
        ours = {refusal["reply"] for refusal in node.get("x-refusals", ())}
        return ours.union(*(refusals(value) for value in node.values()))
    return set().union(*(refusals(value) for value in node)) if isinstance(node, list) else set()


def test_every_row_is_used() -> None:
    """
    A row answers in a cell of some profile, under a rule of its own, for a parameter, in place of another row, or for a
    bug of the server.
    """
    in_cells = {name for loaded in LOADED.values() for cell in cells(loaded) for name in (cell.reply, cell.acts)}
    under_rules = {rule.reply for rule in BASE.rules.values()}
    in_place = {row.acts for row in ROWS}

    used = in_cells | under_rules | refusals(BASE.openapi) | in_place | {"internal"}
    assert used - {"", spec.UNSPECIFIED} == set(BASE.replies)


@each_row
def test_the_rule_of_a_row_exists(row: Reply) -> None:
    """
    The rule that a reply of another shape breaks exists, is checked, and can be seen on the first surface of the row.
    """
    rule = BASE.rules[row.rule]

    assert not rule.excluded
    assert next(iter(row.surfaces)) in rule.surfaces


@each_row
def test_a_row_has_every_surface_or_those_of_its_rule(row: Reply) -> None:
    """
    A row is there for HTTP, and for both gRPC surfaces or neither; or for just those of its rule.
    """
    of_rule = set(spec.load().rules[row.rule].surfaces) & GRPC
    assert set(row.surfaces) & GRPC in (set(), GRPC, of_rule)
    assert "http" in row.surfaces or set(row.surfaces) == of_rule
    assert row.source


@each_row_of_http
def test_the_http_column_fits_the_api_document(row: Reply) -> None:
    """
    Status, body and error code of a row are ones that the document of the HTTP surface has.
    """
    column = row.surfaces["http"]
    statuses = column["status"] if isinstance(column["status"], list) else [column["status"]]
    documented = {
        status
        for path in BASE.openapi["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
        for status in operation.get("responses", ())
    }

    assert {str(status) for status in statuses} <= documented
    assert column.get("body", "Error") in BASE.openapi["components"]["schemas"]


@each_row_of_http
def test_the_outcome_is_that_of_the_status(row: Reply) -> None:
    """
    What is accepted answers 2xx and names a body; what is refused answers an error, and never names one.
    """
    column = row.surfaces["http"]
    statuses = column["status"] if isinstance(column["status"], list) else [column["status"]]
    accepted = row.outcome == "accepted"

    assert all((200 <= status < 300) is accepted for status in statuses)
    assert ("body" in column) is accepted
    if accepted:
        assert {row.surfaces[surface]["code"] for surface in GRPC} == {"OK"}


@each_row_of_http
def test_what_is_demanded_is_there(row: Reply) -> None:
    """
    A refusal that demands an error code has one, and one with a JSON body can be served.
    """
    column = row.surfaces["http"]
    demands = column.get("demands", ["status", "errorCode"] if row.outcome == "refused" else ["status"])

    assert ("errorCode" in column) or ("errorCode" not in demands)
    assert ("errorCode" in column) <= ("message" in column)


@each_row
def test_the_grpc_columns_fit_the_outcome(row: Reply) -> None:
    """
    What is accepted is OK; what is refused has a message, or is OK without an instance where a client asked for one.
    """
    for surface in GRPC & set(row.surfaces):
        column = row.surfaces[surface]
        codes = column["code"] if isinstance(column["code"], list) else [column["code"]]
        assert (codes == ["OK"]) is (row.outcome == "accepted") or column["empty"], row.name
        assert ("OK" in codes and row.outcome == "refused") <= column.get("empty", False)
        assert isinstance(column["code"], list) or codes == ["OK"] or column["message"]


@each_row
def test_where_a_row_leaves_a_choice_a_server_knows_what_to_send(row: Reply) -> None:
    """
    A row that stands in for another leaves no choice, has the same outcome and every surface of the other.
    """
    if row.acts:
        sent = BASE.replies[row.acts]
        assert (sent.outcome, sent.acts) == (row.outcome, "")
        assert set(sent.surfaces) >= set(row.surfaces)
        assert not any(isinstance(value, list) for one in sent.surfaces.values() for value in one.values())


@pytest.mark.parametrize("profile", LOADED)
def test_a_reply_is_judged_where_it_is_promised(profile: str) -> None:
    """
    In every profile the rule of a row that a cell promises holds there, so that a wrong reply is a failure.
    """
    loaded = LOADED[profile]
    for cell in cells(loaded):
        if cell.reply and cell.reply != spec.UNSPECIFIED:
            holds = loaded.rules[loaded.replies[cell.reply].rule].profiles
            assert not holds or profile in holds, cell
