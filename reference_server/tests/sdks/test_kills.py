"""
Workers that are killed in the middle of what they do.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KILLS = 50
SEED = 20_260_112


def killed(nursery: Any, pid: int, kind: str, count: int, delay: float) -> list[str]:
    """
    Kills a worker that moment after it began so many turns or activities, and says what it was in the middle of.
    """
    under_way: list[str] = []

    def follow() -> Iterator[Any]:
        while True:
            yield nursery.line()

    begun = 0
    for told in follow():
        if told.get("pid") == pid:
            (under_way.append if "began" in told else under_way.remove)(told.get("began") or told["ended"])
            begun += told.get("began") == kind
        if begun == count:
            break
    time.sleep(delay)
    os.kill(pid, signal.SIGKILL)
    nursery.say({"reap": pid})
    for told in follow():
        if told == {"dead": pid}:
            return under_way
        (under_way.append if "began" in told else under_way.remove)(told.get("began") or told["ended"])
    raise AssertionError


def spawn(nursery: Any) -> int:
    nursery.say("spawn")
    return int(nursery.line()["born"])


def test_every_workflow_completes_once_however_often_workers_die(
    serve: Callable[..., Any], program: Callable[..., Any], client: Callable[..., Any]
) -> None:
    """
    Fifty workers are killed at random moments in turns and activities. What they owed is done by the next: each
    workflow completes with the right output, and its history has one end, and one result of each activity, child
    and timer.
    """
    chance, server = random.Random(SEED), serve("--no-executor")
    nursery = program("python-1.19.0", "python_mortal.py", **server.variables)
    moments: Counter[str] = Counter()
    with ThreadPoolExecutor(KILLS) as starting:  # a start waits for a worker
        for number in range(KILLS):
            starting.submit(server.ask, "POST", f"journey/start?instanceID=killed-{number}", number)
            kind, count, delay = chance.choice(["turn", "activity"]), chance.randint(1, 3), chance.uniform(0, 0.02)
            moments.update(set(killed(nursery, spawn(nursery), kind, count, delay)))
        last = spawn(nursery)
    ended = {n: server.until(f"killed-{n}", "COMPLETED", "FAILED")["properties"] for n in range(KILLS)}
    sdk = client("python-1.19.0", "workflow", server)
    histories = [sdk.call("get_workflow_history", instance_id=f"killed-{n}") for n in range(KILLS)]
    os.kill(last, signal.SIGKILL)
    nursery.say({"reap": last})

    outputs = {n: shown.get("dapr.workflow.output") for n, shown in ended.items()}
    assert outputs == {n: str(sum((n + k) ** 2 for k in range(4))) for n in range(KILLS)}
    assert moments["turn"] > 0
    assert moments["activity"] > 0
    for history in histories:
        kinds = Counter(event["event_type"] for event in history)
        assert kinds["EXECUTION_COMPLETED"] == 1
        assert kinds["TASK_SCHEDULED"] == kinds["TASK_COMPLETED"] == 3
        assert kinds["CHILD_WORKFLOW_INSTANCE_CREATED"] == kinds["CHILD_WORKFLOW_INSTANCE_COMPLETED"] == 1
        assert kinds["TIMER_CREATED"] == kinds["TIMER_FIRED"] == 1
