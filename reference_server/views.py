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

INPUT = "dapr.workflow.input"
OUTPUT = "dapr.workflow.output"
CUSTOM_STATUS = "dapr.workflow.custom_status"
ERROR_TYPE = "dapr.workflow.failure.error_type"
ERROR_MESSAGE = "dapr.workflow.failure.error_message"
STACK_TRACE = "dapr.workflow.failure.stack_trace"

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


def properties(instance: Instance, features: Mapping[str, Any]) -> dict[str, str]:
    """
    The properties of an instance.
    """
    shown: dict[str, str] = {}
    if instance.input is not None and instance.created is not None:
        shown[INPUT] = instance.input
    if instance.output is not None:
        shown[OUTPUT] = instance.output
    if instance.status:
        shown[CUSTOM_STATUS] = instance.status
    failure = instance.failure
    if failure is not None:
        if features["failure_as_output"]:
            shown[OUTPUT] = failure.message
        shown[ERROR_TYPE] = failure.type
        shown[ERROR_MESSAGE] = failure.message
        if failure.stack:
            shown[STACK_TRACE] = failure.stack
    return shown


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
    details = properties(instance, features)
    if details:
        shown["properties"] = details
    return shown


@lru_cache(maxsize=1024)
def _whole(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
