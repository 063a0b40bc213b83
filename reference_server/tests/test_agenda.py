"""
The agenda.
"""

from reference_server.agenda import Agenda


def test_the_earliest_comes_first_and_equals_come_in_order() -> None:
    """
    Keys come out by time, and by age where times are equal.
    """
    agenda: Agenda[str] = Agenda()
    for key, due in (("late", 9), ("first", 1), ("second", 1)):
        agenda.add(key, due)

    assert [agenda.pop(9), agenda.pop(9), agenda.pop(9), agenda.pop(9)] == ["first", "second", "late", None]


def test_a_key_that_is_on_the_agenda_keeps_the_earlier_time() -> None:
    """
    Adding again never delays.
    """
    agenda: Agenda[str] = Agenda()
    agenda.add("a", 5)
    agenda.add("a", 7)
    agenda.add("a", 3)

    assert (agenda.next_due(), agenda.pop(2), agenda.pop(3), agenda.next_due()) == (3, None, "a", None)


def test_what_was_cancelled_does_not_come_and_is_forgotten() -> None:
    """
    Dead entries do not pile up.
    """
    agenda: Agenda[int] = Agenda()
    for key in range(10_000):
        agenda.add(key, 10 + key)
        agenda.cancel(key)

    assert (agenda.next_due(), len(agenda)) == (None, 0)
    assert len(agenda._heap) < 100
