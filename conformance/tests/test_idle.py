from __future__ import annotations

import pytest

import spec
from conformance import idle, load, plan
from conformance.contract import Contract

EVERYTHING = ("hold_pending", "hold_stalled", "restart", "api_token", "control")


@pytest.fixture(scope="module")
def cases() -> tuple[plan.Case, ...]:
    contract = Contract(spec.openapi())
    whole = plan.plan(load.scenarios(), spec.load(), contract, plan.Selection(), EVERYTHING, clients=idle.surfaces())
    return whole.cases


def test_an_idle_client_is_asked_everything(cases: tuple[plan.Case, ...]) -> None:
    """
    Claiming all there is, it gets cases of every kind of surface, those of waits and of payloads too.
    """
    kinds = {kind: [case for case in cases if case.surface.kind == kind] for kind in spec.SURFACES}

    assert all(len(found) > 200 for found in kinds.values())
    assert any("wait_completion" in case.name for case in cases)


@pytest.mark.parametrize("kind", idle.KINDS)
def test_an_idle_driver_passes_no_case(cases: tuple[plan.Case, ...], kind: str) -> None:
    """
    Whatever a driver answers to everything, no case is content with it.
    """
    assert idle.passed(kind, cases) == []
