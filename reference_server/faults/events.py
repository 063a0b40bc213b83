"""
Events that are delivered wrongly: each function is one way, and gets the engine, the call and the time.
"""

from __future__ import annotations

from reference_server.instance import RAISE_EVENT, Answer, Call

from .engines import Before, changing


def lost(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    An event is accepted and dropped.
    """
    del now
    return engine.mute(call) if call.operation == RAISE_EVENT else call


def doubled(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    An event is delivered twice.
    """
    if call.operation == RAISE_EVENT:
        engine.plainly(call, now)
    return call


def elsewhere(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    An event is delivered to another instance.
    """
    if call.operation == RAISE_EVENT:
        answer = engine.mute(call)
        for name in engine.others(call.instance)[-1:]:
            engine.plainly(call._replace(instance=name), now)
        return answer
    return call


def everywhere(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    An event is delivered to every instance.
    """
    if call.operation == RAISE_EVENT:
        for name in engine.others(call.instance):
            if not engine.ended(name):
                engine.plainly(call._replace(instance=name), now)
    return call


def unloaded(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    An event loses its payload.
    """
    del engine, now
    return call._replace(data="") if call.operation == RAISE_EVENT else call


def quoted(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    The payload of an event arrives as a text.
    """
    del engine, now
    text = (call.data or "").replace("\\", "\\\\").replace('"', '\\"')
    return call._replace(data=f'"{text}"') if call.operation == RAISE_EVENT and call.data else call


def payload_demanded(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    An event without a payload is dropped.
    """
    del now
    return engine.mute(call) if call.operation == RAISE_EVENT and not call.data else call


def late_event(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    An event after the end becomes the output.
    """
    if call.operation == RAISE_EVENT and engine.ended(call.instance):
        answer = engine.plainly(call, now)
        engine.put(call.instance, output=call.data or "null")
        return answer
    return call


def odd_name_dropped(engine: Before, call: Call, now: int) -> Call | Answer:
    """
    An event whose name is more than ASCII letters, digits and underscores is dropped.
    """
    del now
    plain = call.event.isascii() and call.event.replace("_", "").isalnum()
    return engine.mute(call) if call.operation == RAISE_EVENT and not plain else call


EVENTS = {
    "event/lost": changing(lost),
    "event/odd_name_dropped": changing(odd_name_dropped),
    "event/doubled": changing(doubled),
    "event/to_another": changing(elsewhere),
    "event/to_all": changing(everywhere),
    "event/payload_lost": changing(unloaded),
    "event/payload_quoted": changing(quoted),
    "event/payload_demanded": changing(payload_demanded),
    "event/after_the_end": changing(late_event),
}
"""The faults in how events are delivered, by name."""
