"""
The one place that asks Schemathesis for its coverage cases: half of that interface is not public.

Rule 1: nothing of Schemathesis leaves this module; a case is a value of ours.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from conformance.errors import UsageError

from .broken import Broken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INSTALL = "fuzz needs Schemathesis, which is not installed: pip install 'workflow-conformance[fuzz]'"


def installed() -> None:
    """
    Raises UsageError, with the command to install it, where Schemathesis is not there.
    """
    try:
        import schemathesis  # noqa: F401, PLC0415 - an extra
    except ImportError:
        raise UsageError(INSTALL) from None


def negatives(openapi: Mapping[str, Any], seed: int) -> list[Broken]:
    """
    Every negative coverage case of a document, always in the same order.
    """
    installed()
    import schemathesis  # noqa: PLC0415 - an extra

    config = schemathesis.Config.from_dict({"seed": seed, "generation": {"database": "none"}})
    loaded: Any = schemathesis.openapi.from_dict(json.loads(json.dumps(openapi)), config=config)
    return [one for found in loaded.get_all_operations() for one in _of(loaded, found.ok())]


def _of(loaded: Any, operation: Any) -> Iterator[Broken]:
    from schemathesis import GenerationMode  # noqa: PLC0415 - an extra

    modes = [
        GenerationMode.POSITIVE,
        GenerationMode.NEGATIVE,
    ]  # asked for the negative alone, it breaks every parameter
    generation = loaded.config.generation
    for case in loaded.iter_coverage_cases(operation, generation_modes=modes, generation_config=generation):
        if case.meta.generation.mode.is_negative:
            yield _value(operation.definition.raw["operationId"], case)


def _value(operation: str, case: Any) -> Broken:
    phase = case.meta.phase.data
    where = getattr(phase, "parameter_location", None)
    place = "_".join(one for one in (getattr(where, "value", ""), getattr(phase, "parameter", None)) if one)
    return Broken(
        operation=operation,
        method=case.method.upper(),
        scenario=str(getattr(phase.scenario, "value", phase.scenario)),
        about=str(phase.description),
        place=place,
        path=_texts(case.path_parameters),
        query=_texts(case.query),
        headers=_texts(case.headers),
        body=_body(case.body),
    )


def _texts(values: Any) -> dict[str, str]:
    return {str(name): _text(value) for name, value in dict(values or {}).items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _body(body: Any) -> str | None:
    """
    The body as text; nothing where there is none, or none that text can be.
    """
    if type(body).__name__ == "NotSet" or isinstance(body, bytes):
        return None
    try:
        return json.dumps(body, ensure_ascii=False)
    except (TypeError, ValueError):
        return None
