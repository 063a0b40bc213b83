import spec
from conformance.believe import Beliefs, nowhere, settled

MACHINE = spec.load().machine


def test_an_accepted_start_leads_on_by_itself() -> None:
    """
    What is accepted goes on as far as it goes of itself.
    """
    assert settled(MACHINE, MACHINE.cell(nowhere(MACHINE), "start")) == "RUNNING"


def test_what_changes_nothing_sets_nothing_off() -> None:
    """
    A refused operation leaves an instance in the very state it is in.
    """
    for state in MACHINE.states:
        assert settled(MACHINE, MACHINE.cell(state, "get")) == state


def test_beliefs_follow_operations_and_looks() -> None:
    """
    Operations lead where their cells say, refusals nowhere, looks where they look.
    """
    beliefs = Beliefs(MACHINE)
    assert beliefs.state("x") == nowhere(MACHINE)
    beliefs.asked("x", beliefs.cell("x", "start"), moves=True)
    beliefs.asked("x", beliefs.cell("x", "purge"), moves=False)
    assert beliefs.state("x") == "RUNNING"
    assert beliefs.settles_rule("x") == "WF-PURGE-004"
    beliefs.seen("x", {"$one_of": ["COMPLETED", "FAILED"]})
    assert beliefs.state("x") == "COMPLETED"
    beliefs.seen("x", {"$any": True})
    assert beliefs.state("x") == "COMPLETED"
    beliefs.gone("x")
    assert beliefs.state("x") == nowhere(MACHINE)


def test_a_copy_is_followed_apart() -> None:
    """
    What is believed in a copy is not believed elsewhere until it is taken over.
    """
    beliefs = Beliefs(MACHINE)
    other = beliefs.copy()
    other.asked("x", other.cell("x", "start"), moves=True)
    assert beliefs.state("x") == nowhere(MACHINE)
    beliefs.take(other, "x")
    assert (beliefs.state("x"), beliefs.settles_rule("x")) == ("RUNNING", "WF-START-002")
