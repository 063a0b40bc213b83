from __future__ import annotations

from typing import Any

import pytest

import spec
from spec import wire

FORMS = [(surface, form) for surface in spec.grpc().values() for form in surface.forms.values()]

each_form = pytest.mark.parametrize(
    ("surface", "form"), FORMS, ids=lambda one: getattr(one, "operation", "") or one.name
)
each_surface = pytest.mark.parametrize("surface", spec.grpc().values(), ids=lambda one: one.name)


def field(descriptor: Any, place: str) -> Any:
    """
    The descriptor of what stands at a place; the test of every part of the way.
    """
    path, _, key = place.partition("[")
    for name in path.split("."):
        found = descriptor.fields_by_name[name]
        descriptor = found.message_type
    assert bool(key) is bool(descriptor is not None and descriptor.GetOptions().map_entry)
    return found


def method(surface: spec.Surface, name: str) -> wire.Method:
    return wire.services()[surface.service][name]


@each_surface
def test_a_surface_has_the_operations_of_the_machine(surface: spec.Surface) -> None:
    """
    Each surface has a form for the operations that the machine says it offers, and for nothing else.
    """
    assert sorted(surface.forms) == sorted(spec.load().machine.offered(surface.name))


@each_form
def test_every_place_exists(surface: spec.Surface, form: spec.Form) -> None:
    """
    Each method exists in each version, and has the fields that are named.
    """
    for version in surface.versions:
        found = method(surface, form.method + version)
        assert surface.path(form.operation, version) == found.path
        for place in form.fields.values():
            field(found.request.DESCRIPTOR, place)
        for place in form.answers.values():
            field(found.response.DESCRIPTOR, place)


@each_form
def test_words_are_those_of_the_form(surface: spec.Surface, form: spec.Form) -> None:
    """
    What is fixed, made up, refused or excepted is a field of the request, and no two words share a place.
    """
    words = {
        *form.asked,
        *form.fixed,
        *form.defaults,
        *(refusal.field for refusal in form.refusals),
        form.generates,
        form.unless,
    }

    assert words - {""} <= set(form.fields), surface.name
    assert len(set(form.fields.values())) == len(form.fields)
    assert {word for words in form.asked.values() for word in words} <= set(form.answers)
    assert len(set(form.answers.values())) == len(form.answers)


@each_form
def test_a_refusal_is_a_row_of_the_surface(surface: spec.Surface, form: spec.Form) -> None:
    """
    The rows of refusals refuse, on this surface; a parameter is one that the HTTP operation checks.
    """
    loaded = spec.load()
    for refusal in form.refusals:
        rows = [refusal.missing or refusal.given or refusal.invalid]
        if refusal.parameter:
            rows = [one["reply"] for one in parameter(form.operation, refusal.parameter)["x-refusals"]]
        for row in rows:
            assert loaded.replies[row].outcome == "refused"
            assert surface.name in loaded.replies[row].surfaces


@each_surface
def test_every_status_can_be_said(surface: spec.Surface) -> None:
    """
    Every state that is reported has its word in the type that the surface reports it in.
    """
    form = surface.forms["get"]
    status = field(
        method(surface, form.method + surface.versions[-1]).response.DESCRIPTOR, form.answers["runtimeStatus"]
    )
    if status.enum_type is not None:
        for state in spec.load().machine.states.values():
            assert not state.exists or surface.prefix + state.reported[surface.name] in status.enum_type.values_by_name


def test_every_method_is_accounted_for() -> None:
    """
    A method of either service is an operation, one of the others, or a worker's.
    """
    named = {(surface.service, form.method + version) for surface, form in FORMS for version in surface.versions}
    for other in spec.others().values():
        named |= {(spec.grpc()[other.surface].service, name) for name in other.methods}
        for place in other.answers.values():
            (name,) = other.methods
            field(method(spec.grpc()[other.surface], name).response.DESCRIPTOR, place)
    left = {(service, name) for service, methods in wire.services().items() for name in methods} - named

    workers = {"Hello", "GetWorkItems", "CompleteWorkflowTask", "CompleteOrchestratorTask", "CompleteActivityTask"}
    assert left == {("TaskHubSidecarService", name) for name in workers}


def parameter(operation: str, name: str) -> Any:
    document = spec.openapi()
    (found,) = (
        node
        for item in document["paths"].values()
        for one in item.values()
        if isinstance(one, dict) and one.get("x-operation") == operation
        for node in (resolved(document, one) for one in one["parameters"])
        if node["name"] == name
    )
    return found


def resolved(document: Any, node: Any) -> Any:
    return document["components"]["parameters"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
