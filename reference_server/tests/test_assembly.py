"""
The assembly.
"""

from __future__ import annotations

import pytest

import spec
from reference_server.assembly import Settings, acting, build, holds
from reference_server.script import ScriptError


def test_instances_can_be_held_where_nothing_leads_by_itself() -> None:
    """
    In the state a start leads to, and where only a worker's trouble leads.
    """
    assert holds(spec.load().machine) == {"PENDING": "", "STALLED": "stall"}


@pytest.mark.parametrize("profile", spec.profiles())
def test_what_acts_can_be_sent(profile: str) -> None:
    """
    One status and one code for each cell, whatever the profile leaves open.
    """
    loaded = acting(spec.load(profile))
    for row in loaded.machine.table.values():
        for event, cell in row.items():
            for surface in loaded.machine.operations[event].surfaces if cell.reply else ():
                column = loaded.replies[cell.acts].surfaces[surface]
                assert isinstance(column["status"], int) if surface == "http" else isinstance(column["code"], str)


def test_what_cannot_be_built_says_so() -> None:
    """
    An unknown profile, a script that is none.
    """
    with pytest.raises(spec.SpecError, match="no profile 'nope'"):
        build(Settings(profile="nope"))
    with pytest.raises(ScriptError):
        build(Settings(scripts={"W": {"do": 1}}))
