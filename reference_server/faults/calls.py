"""
Calls that are treated wrongly: each function is one way, and gets the engine, the call and the time.
"""

from __future__ import annotations

from typing import Any

from reference_server.instance import (
    DELIVERED,
    GET,
    PAUSE,
    PURGE,
    RAISE_EVENT,
    RESUME,
    START,
    STARTED,
    TERMINATE,
    Answer,
    Call,
)

from .engines import WINDOW, Before, changing


def counted_pauses(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    An instance needs as many resumes as it had pauses.
    """
    del now
    if call.operation == PAUSE:
        engine.counts[call.instance] += 1
    elif call.operation == RESUME:
        engine.counts[call.instance] -= 1
        if engine.counts[call.instance] > 0:
            return engine.mute(call)
    return call


def reading_touches(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    Reading an instance updates it.
    """
    instance = engine.instance(call.instance)
    if call.operation == GET and instance is not None and instance.updated is not None:
        engine.put(call.instance, updated=now)
    return call


def reading_resumes(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    Reading a paused instance resumes it.
    """
    if call.operation == GET and engine.instance(call.instance) and engine.counts[call.instance]:
        answer = engine.plainly(call, now)
        engine.counts[call.instance] = 0
        engine.plainly(Call(RESUME, call.instance), now)
        return answer
    engine.counts[call.instance] += call.operation == PAUSE
    return call


def fading(engine: Before, call: Call, now: int, field: str, empty: Any) -> Call | Answer:
    """
    An ended instance loses something once it was read three times.
    """
    del now
    if call.operation == GET and engine.ended(call.instance):
        engine.counts[call.instance] += 1
        if engine.counts[call.instance] > 1:
            engine.put(call.instance, **{field: empty})
    return call


def forgetting(engine: Before, call: Call, now: int, after: int) -> Call | Answer:
    """
    An instance is forgotten after so many calls.
    """
    del now
    engine.counts[call.instance] += 1
    if engine.counts[call.instance] == after and call.operation != START:
        engine.drop(call.instance)
    return call


def every_second(engine: Before, call: Call, now: int, operation: str) -> Call | Answer:
    """
    An operation does nothing on every second instance.
    """
    del now
    if call.operation == START and call.instance not in engine.memory:
        engine.memory[call.instance] = len(engine.memory) % 2
    if call.operation == operation and engine.memory.get(call.instance):
        return engine.mute(call)
    return call


def together(engine: Before, call: Call, now: int, operation: str, *, children: bool) -> Call | Answer:
    """
    An operation reaches other instances too: the children, or all there are.
    """
    instance = engine.instance(call.instance)
    if call.operation == operation and instance is not None:
        for name in instance.children if children else engine.others(call.instance):
            engine.plainly(Call(operation, name), now)
    return call


def ended_reaches_children(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    Terminating an ended parent terminates whoever has its children's IDs.
    """
    instance = engine.instance(call.instance)
    if call.operation == TERMINATE and instance is not None and engine.ended(call.instance):
        for name in instance.children:
            engine.plainly(Call(TERMINATE, name), now)
    return call


def refused_purge_reaches_children(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    A purge that is refused for an active child terminates that child.
    """
    instance = engine.instance(call.instance)
    if call.operation == PURGE and instance is not None and engine.ended(call.instance):
        answer = engine.plainly(call, now)
        if answer.outcome != "accepted":
            for name in instance.children:
                engine.plainly(Call(TERMINATE, name), now)
        return answer
    return call


def unmanaged_children(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    What is asked of a child is accepted and ignored.
    """
    del now
    instance = engine.instance(call.instance)
    child = instance is not None and instance.parent is not None
    return engine.mute(call) if child and call.operation in DELIVERED else call


def hidden_children(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    A child is not found under its ID.
    """
    del now
    instance = engine.instance(call.instance)
    if call.operation == GET and instance is not None and instance.parent is not None:
        return engine.mute(Call(GET, ""))
    return call


def refused_purge_breaks(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    An instance whose purge was refused gets no more events.
    """
    if call.operation == PURGE:
        answer = engine.plainly(call, now)
        engine.counts[call.instance] = int(answer.outcome != "accepted")
        return answer
    return engine.mute(call) if call.operation == RAISE_EVENT and engine.counts[call.instance] else call


def refused_purge_touches(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    A purge that is refused updates the instance.
    """
    if call.operation == PURGE:
        answer = engine.plainly(call, now)
        if answer.outcome != "accepted":
            engine.put(call.instance, updated=now)
        return answer
    return call


def purges_more(engine: Before, call: Call, now: int, *, prefix: bool) -> Call | Answer:
    """
    A purge deletes others as well: those whose ID begins alike, or all that have ended.
    """
    if call.operation == PURGE and engine.ended(call.instance):
        for name in engine.others(call.instance):
            if name.startswith(call.instance) if prefix else engine.ended(name):
                engine.plainly(Call(PURGE, name), now)
    return call


def starts_win(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    Of starts that come at the same time all are accepted.
    """
    if call.operation == START:
        if now - engine.memory.get(call.instance, -WINDOW) < WINDOW and engine.instance(call.instance):
            return Answer(engine.mute(Call(START, "")).reply, "accepted", engine.instance(call.instance))
        engine.memory[call.instance] = now
    return call


def loser_stays(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    A start that is refused leaves its input behind.
    """
    instance = engine.instance(call.instance)
    if call.operation == START and instance is not None and not engine.ended(call.instance):
        answer = engine.plainly(call, now)
        engine.put(call.instance, input=call.data)
        return answer
    return call


def loser_replaces(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    A start that is refused replaces the instance all the same.
    """
    instance = engine.instance(call.instance)
    if call.operation == START and instance is not None and not engine.ended(call.instance):
        answer = engine.mute(call)
        engine.drop(call.instance)
        engine.plainly(call, now)
        return answer
    return call


def any_case(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    The case of an ID is not looked at.
    """
    del engine, now
    return call._replace(instance=call.instance.lower())


def near_ids(engine: Before, call: Call, now: int, *, prefix: bool) -> Call | Answer:
    """
    An ID that nobody has finds an instance whose ID begins with it, or that it begins with.
    """
    del now
    if call.operation != START and engine.instance(call.instance) is None:
        for name in engine.others(""):
            if name.startswith(call.instance) if prefix else call.instance.startswith(name):
                return call._replace(instance=name)
    return call


def timers_hold(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    An instance that waits for a timer is not terminated.
    """
    del now
    instance = engine.instance(call.instance)
    waits = instance is not None and engine.waits(instance)
    return engine.mute(call) if waits and call.operation == TERMINATE else call


def renewed_is_deaf(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    After continue-as-new an instance is deaf to pause, resume and terminate.
    """
    del now
    instance = engine.instance(call.instance)
    again = instance is not None and any(one.kind == STARTED and one.task for one in instance.history)
    return engine.mute(call) if again and call.operation in DELIVERED - {RAISE_EVENT} else call


CALLS = {
    "pause/counted": changing(counted_pauses),
    "get/touches": changing(reading_touches),
    "get/resumes": changing(reading_resumes),
    "ended/output_fades": changing(fading, field="output", empty=None),
    "ended/input_fades": changing(fading, field="input", empty=None),
    "instance/forgotten_after_3": changing(forgetting, after=3),
    "instance/forgotten_after_6": changing(forgetting, after=6),
    "instance/second_not_paused": changing(every_second, operation=PAUSE),
    "instance/second_not_resumed": changing(every_second, operation=RESUME),
    "instance/second_gets_no_event": changing(every_second, operation=RAISE_EVENT),
    "instance/second_not_terminated": changing(every_second, operation=TERMINATE),
    "instance/second_not_purged": changing(every_second, operation=PURGE),
    "instance/all_terminated": changing(together, operation=TERMINATE, children=False),
    "instance/all_paused": changing(together, operation=PAUSE, children=False),
    "child/paused": changing(together, operation=PAUSE, children=True),
    "child/of_ended_terminated": changing(ended_reaches_children),
    "child/of_refused_purge": changing(refused_purge_reaches_children),
    "child/unmanaged": changing(unmanaged_children),
    "child/hidden": changing(hidden_children),
    "purge/refused_breaks": changing(refused_purge_breaks),
    "purge/refused_touches": changing(refused_purge_touches),
    "purge/by_prefix": changing(purges_more, prefix=True),
    "purge/all_ended": changing(purges_more, prefix=False),
    "start/both_win": changing(starts_win),
    "start/loser_leaves_input": changing(loser_stays),
    "start/loser_replaces": changing(loser_replaces),
    "id/case_ignored": changing(any_case),
    "id/prefix_finds": changing(near_ids, prefix=True),
    "id/extension_finds": changing(near_ids, prefix=False),
    "timer/holds_terminate": changing(timers_hold),
    "continue/deaf": changing(renewed_is_deaf),
}
"""The faults in how calls are treated, by name."""
