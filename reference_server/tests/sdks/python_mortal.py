"""
Workers of Dapr's Python SDK that are made to be killed: each is a process, forked off this one before it connects.

    python python_mortal.py
    "spawn"       ->  {"born": pid}, then as it works {"pid": ..., "began": "turn"|"activity"}, {"pid": ..., "ended"}
    {"reap": pid} ->  {"dead": pid} once that process is gone and all it wrote is on the line
Forked, because importing the SDK takes a second and fifty workers are wanted.
"""

import json
import os
import sys
import time
from datetime import timedelta

import dapr.ext.workflow as wf


def tell(**what):
    os.write(1, f"{json.dumps(what)}\n".encode())


def during(kind, seconds):
    """
    Time that passes in a turn or in an activity, in which the process can be killed.
    """
    tell(pid=os.getpid(), began=kind)
    time.sleep(seconds)
    tell(pid=os.getpid(), ended=kind)


def square(ctx, number):
    during("activity", 0.015)
    return number * number


def small(ctx, number):
    during("turn", 0.005)
    return (yield ctx.call_activity(square, input=number))


def journey(ctx, number):
    during("turn", 0.005)
    total = yield ctx.call_activity(square, input=number)
    during("turn", 0.005)
    total += yield ctx.call_child_workflow(small, input=number + 1, instance_id=f"{ctx.instance_id}-child")
    yield ctx.create_timer(timedelta(milliseconds=10))
    during("turn", 0.005)
    total += sum((yield wf.when_all([ctx.call_activity(square, input=number + n) for n in (2, 3)])))
    during("turn", 0.005)
    return total


def work(parent):
    runtime = wf.WorkflowRuntime()
    runtime.register_activity(square)
    runtime.register_workflow(small)
    runtime.register_workflow(journey)
    runtime.start()
    while os.getppid() == parent:  # an orphan would hold the pipe open for ever
        time.sleep(0.2)
    os._exit(0)


for line in sys.stdin:
    asked = json.loads(line)
    if asked == "spawn":
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            work(parent)
        tell(born=child)
    else:
        os.waitpid(asked["reap"], 0)
        tell(dead=asked["reap"])
