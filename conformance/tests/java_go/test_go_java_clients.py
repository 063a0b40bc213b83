"""
The drivers of Dapr's Go and Java SDKs, built as their manifests say and driven against the reference server.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from conformance import manifest
from conformance.tests.java_go.driving import BOTH, CLIENTS, KINDS, PATIENCE, WAITING, Driven, Server


@pytest.mark.parametrize(("role", "name"), BOTH)
def test_a_driver_is_one_short_file(role: str, name: str) -> None:
    """
    A driver has one source file, of at most 250 lines.
    """
    driver = manifest.load(role, name)
    source = {"go": "main.go", "java": f"{role.capitalize()}.java"}[driver.sdk.language]
    sources = [one for one in driver.folder.iterdir() if one.name.endswith((".go", ".java"))]

    assert [one.name for one in sources] == [source]
    assert len(sources[0].read_text().splitlines()) <= 250


@pytest.mark.parametrize(("role", "name"), [one for one in BOTH if one[1] != "java"])
def test_a_go_driver_is_formatted_and_pinned(built: Any, role: str, name: str) -> None:
    """
    Gofmt has nothing to say, and go.sum holds every sum of what is built: building adds none.
    """
    ready, gofmt = built(role, name), shutil.which("gofmt")
    pinned = manifest.load(role, name).folder.joinpath("go.sum").read_text()

    assert gofmt is not None
    assert subprocess.run([gofmt, "-l", ready.folder], capture_output=True, text=True, check=True).stdout == ""
    assert (ready.folder / "go.sum").read_text() == pinned


@pytest.mark.parametrize(("role", "name"), BOTH)
def test_a_driver_says_what_it_was_built_on(built: Any, server: Server, role: str, name: str) -> None:
    """
    Hello names the package and release of the manifest; an op that there is none of is unsupported; stop ends with 0.
    """
    sdk, driven = manifest.load(role, name).sdk, Driven(built(role, name), server)

    assert driven.hello["sdk"] == {"name": sdk.package, "version": sdk.version, "language": sdk.language}
    assert driven.hello["role"] == role
    assert driven.error("levitate", instance="x") == "unsupported"
    assert driven.ok("stop") == {}
    assert driven.process.leave(PATIENCE) == 0


@pytest.mark.parametrize(("role", "name"), BOTH)
def test_a_driver_ends_with_its_stdin(built: Any, server: Server, role: str, name: str) -> None:
    """
    When nobody asks any more, a driver ends with 0.
    """
    driven = Driven(built(role, name), server)

    assert driven.process.leave(PATIENCE) == 0


@pytest.mark.parametrize(("role", "name"), [one for one in BOTH if one[1] != "java"])
def test_a_driver_that_cannot_connect_says_so_and_ends(built: Any, role: str, name: str) -> None:
    """
    Go's SDK connects when its client is made: hello is answered with `unavailable`, and the exit code is 1.
    """
    nobody = Server()
    nobody.close()
    driven = Driven(built(role, name), nobody, DAPR_CLIENT_TIMEOUT_SECONDS="1")

    assert driven.answered.error is not None
    assert driven.answered.error["class"] == "unavailable"
    assert driven.process.leave(PATIENCE) == 1


def test_java_connects_when_it_calls(built: Any) -> None:
    """
    Java's SDK connects at the first call, which fails with `unavailable`.
    """
    nobody = Server()
    nobody.close()
    driven = Driven(built("client", "java"), nobody)

    assert driven.error("get", instance="x") == "unavailable"
    driven.process.kill()


def test_a_life_is_led_through_an_sdk(client: Driven, unique: str) -> None:
    """
    Start, pause, resume, an event, its completion and a purge: each does what it is for, and is seen.
    """
    assert client.ok("start", workflow="ConformanceScript", instance=unique, input=WAITING) == {"instance": unique}
    state = client.until(unique, "RUNNING")
    assert state["workflow"] == "ConformanceScript"
    assert json.loads(state["input"]) == WAITING
    assert state["created_at"].startswith("20")
    assert client.ok("pause", instance=unique) == {}
    client.until(unique, "SUSPENDED")
    assert client.ok("resume", instance=unique) == {}
    client.until(unique, "RUNNING")
    assert client.ok("raise_event", instance=unique, name="go", data={"n": 1}) == {}
    assert client.output(unique) == [{"n": 1}]
    assert client.ok("purge", instance=unique).get("purged", True)
    assert client.state(unique) is None


@pytest.mark.parametrize("number", range(len(KINDS)))
def test_payloads_of_every_kind_come_and_go(client: Driven, unique: str, number: int) -> None:
    """
    What is given as input, and as the data of an event, comes out as the same JSON, every digit of it.
    """
    value = KINDS[number]
    client.ok("start", workflow="ConformanceEcho", instance=f"{unique}_i", input=value)
    client.ok("start", workflow="ConformanceScript", instance=f"{unique}_d", input=WAITING)
    client.ok("raise_event", instance=f"{unique}_d", name="go", data=value)

    assert client.output(f"{unique}_i") == value
    assert client.output(f"{unique}_d") == [value]


def test_no_payload_is_not_null(client: Driven, unique: str) -> None:
    """
    Without input none is sent: the echo has no output, which is not JSON's null.
    """
    client.ok("start", workflow="ConformanceEcho", instance=unique)

    assert not client.until(unique, "COMPLETED")["output"]


def test_a_payload_of_a_megabyte_passes(client: Driven, unique: str) -> None:
    """
    A million characters go in and come out.
    """
    client.ok("start", workflow="ConformanceEcho", instance=unique, input="x" * 1_000_000)

    assert client.output(unique) == "x" * 1_000_000


def test_options_are_passed_on_or_unsupported(client: Driven, unique: str) -> None:
    """
    What hello lists among the options has its effect; what it does not list is refused by the driver itself.
    """
    options, script = client.hello["options"], {"workflow": "ConformanceScript", "input": WAITING}
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "delay": ("start", {"workflow": "ConformanceEcho", "instance": f"{unique}_delay", "delay": 3600}),
        "raw": ("start", {"workflow": "ConformanceEcho", "instance": f"{unique}_raw", "raw": '{ "a" : 1 }'}),
        "output": ("terminate", {"instance": f"{unique}_output", "output": {"by": "e"}}),
        "recursive": ("terminate", {"instance": f"{unique}_recursive", "recursive": False}),
        "force": ("purge", {"instance": f"{unique}_force", "force": True}),
    }
    for option in asked.keys() - {"delay", "raw"}:
        client.ok("start", instance=f"{unique}_{option}", **script)
    for option, (op, words) in asked.items():
        if option in options:
            client.ok(op, **words)
        else:
            assert client.error(op, **words) == "unsupported"

    ends = {
        "delay": lambda name: client.until(name, "PENDING"),
        "raw": lambda name: client.until(name, "COMPLETED")["output"] == '{ "a" : 1 }',
        "output": lambda name: json.loads(client.until(name, "TERMINATED")["output"]) == {"by": "e"},
        "recursive": lambda name: client.until(name, "TERMINATED"),
        "force": lambda name: client.state(name) is None,
    }
    for option in options:
        assert ends[option](f"{unique}_{option}"), option


def test_errors_are_told_apart_as_hello_says(client: Driven, unique: str) -> None:
    """
    A second start and calls on an instance that is not there are errors, of a class that hello lists or `other`.
    """
    client.ok("start", workflow="ConformanceScript", instance=unique, input=WAITING)
    conflict = client.error("start", workflow="ConformanceScript", instance=unique, input=WAITING)
    missing = {op: client.error(op, instance="nobody") for op in ("pause", "resume", "terminate", "purge")}

    assert conflict == client.told("conflict")
    assert set(missing.values()) == {"other"}
    assert client.error("raise_event", instance="nobody", name="go") == "other"
    assert client.error("purge", instance=unique) == "other"
    assert client.state("nobody") is None


def test_an_id_of_the_sdk_is_a_uuid(client: Driven) -> None:
    """
    Without an ID the SDK makes one, another each time.
    """
    made = [client.ok("start", workflow="ConformanceEcho")["instance"] for _ in range(3)]

    assert len({UUID(one) for one in made}) == 3


def test_a_wait_ends_in_time_and_keeps_nobody(client: Driven, unique: str) -> None:
    """
    A wait answers when the instance has ended, or with `timeout`; other requests are answered meanwhile.
    """
    if "wait_completion" not in client.hello["verbs"]:
        assert client.error("wait_completion", instance=unique, timeout=1) == "unsupported"
        return
    client.ok("start", workflow="ConformanceScript", instance=unique, input=WAITING)
    assert client.ok("wait_start", instance=unique, timeout=PATIENCE)["state"]["status"] == "RUNNING"
    assert client.error("wait_completion", instance=unique, timeout=0.2) == "timeout"
    with ThreadPoolExecutor(20) as pool:
        waits = [pool.submit(client.ok, "wait_completion", instance=unique, timeout=PATIENCE) for _ in range(20)]
        assert client.state(unique)["status"] == "RUNNING"
        client.ok("raise_event", instance=unique, name="go")
        assert {wait.result()["state"]["output"] for wait in waits} == {"[null]"}


def test_a_hundred_requests_at_once_are_answered(client: Driven, unique: str) -> None:
    """
    Requests are served side by side, each answer with its own.
    """
    with ThreadPoolExecutor(20) as pool:
        names = [f"{unique}_{number}" for number in range(100)]
        list(pool.map(lambda name: client.ok("start", workflow="ConformanceEcho", instance=name, input=name), names))
        outputs = list(pool.map(client.output, names))

    assert outputs == names


@pytest.mark.parametrize("name", CLIENTS)
def test_the_token_of_hello_is_sent(built: Any, name: str) -> None:
    """
    With the token a call is let in, without it no instance starts.
    """
    locked = Server("sesame")
    inside = Driven(built("client", name), locked)
    locked.token = ""
    outside = Driven(built("client", name), locked)

    assert inside.ok("start", workflow="ConformanceEcho", instance="in") == {"instance": "in"}
    assert outside.error("start", workflow="ConformanceEcho", instance="out") == outside.told("unavailable")
    assert inside.state("out") is None
    for driven in (inside, outside):
        driven.process.kill()
    locked.close()
