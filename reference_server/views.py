"""
What a client sees of an instance.

Rule 1: a property that has nothing to say is left out, and so are `properties` when all are.
Rule 2: until a turn is committed there is neither a workflow name nor a time.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .instance import Instance

ZERO_TIME = "0001-01-01T00:00:00Z"
"""Go's zero time, as protojson writes it."""
ZERO = -62_135_596_800_000_000_000
"""The same in nanoseconds since the epoch."""

PROPERTIES = {
    "input": "dapr.workflow.input",
    "output": "dapr.workflow.output",
    "customStatus": "dapr.workflow.custom_status",
    "failure.type": "dapr.workflow.failure.error_type",
    "failure.message": "dapr.workflow.failure.error_message",
    "failure.stack": "dapr.workflow.failure.stack_trace",
}
"""What the properties are called; the keys are the words of spec/grpc.yaml."""

_SECOND = 1_000_000_000


def timestamp(nanoseconds: int | None) -> str:
    """
    A time in RFC 3339, UTC, with 0, 3, 6 or 9 digits of a second, as protojson writes it.
    """
    if nanoseconds is None:
        return ZERO_TIME
    seconds, rest = divmod(nanoseconds, _SECOND)
    if not rest:
        return f"{_whole(seconds)}Z"
    digits = 9 if rest % 1000 else 6 if rest % 1_000_000 else 3
    return f"{_whole(seconds)}.{rest:09}"[: digits - 9 or None] + "Z"


def details(instance: Instance, features: Mapping[str, Any]) -> dict[str, str]:
    """
    What came in and out of an instance, under our own words.
    """
    shown: dict[str, str] = {}
    if instance.input is not None and instance.created is not None:
        shown["input"] = instance.input
    if instance.output is not None:
        shown["output"] = instance.output
    if instance.status:
        shown["customStatus"] = instance.status
    failure = instance.failure
    if failure is not None:
        if features["failure_as_output"]:
            shown["output"] = failure.message
        shown["failure.type"] = failure.type
        shown["failure.message"] = failure.message
        if failure.stack:
            shown["failure.stack"] = failure.stack
    return shown


def words(instance: Instance, features: Mapping[str, Any]) -> dict[str, Any]:
    """
    All that is said of an instance but for the word of its state, under the words of spec/grpc.yaml.
    """
    shown: dict[str, Any] = {"instanceID": instance.id}
    if instance.created is not None:
        shown["workflowName"] = instance.workflow
    shown["createdAt"] = ZERO if instance.created is None else instance.created
    shown["lastUpdatedAt"] = ZERO if instance.updated is None else instance.updated
    shown.update(details(instance, features))
    return shown


def properties(instance: Instance, features: Mapping[str, Any]) -> dict[str, str]:
    """
    The properties of an instance.
    """
    return {PROPERTIES[word]: value for word, value in details(instance, features).items()}


def workflow(instance: Instance, word: str, features: Mapping[str, Any]) -> dict[str, Any]:
    """
    The answer to get; `word` is what the surface calls the state.
    """
    shown: dict[str, Any] = {"instanceID": instance.id}
    if instance.created is not None:
        shown["workflowName"] = instance.workflow
    shown["createdAt"] = timestamp(instance.created)
    shown["lastUpdatedAt"] = timestamp(instance.updated)
    shown["runtimeStatus"] = word
    named = properties(instance, features)
    if named:
        shown["properties"] = named
    return shown


@lru_cache(maxsize=1024)
def _whole(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
