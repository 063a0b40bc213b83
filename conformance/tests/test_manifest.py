"""
The drivers of the kit: their folders, and what their manifests say.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import spec
from conformance import manifest
from conformance.errors import BadFiles, UsageError

DRIVERS = Path(manifest.__file__).parent / "drivers"
ALL = [(role, name) for role in manifest.ROLES for name in manifest.names(role)]
SOURCES = (".py", ".mjs", ".java", ".go", ".cs")
GOOD = """\
version: 1
title: nothing
sdk: {name: none, language: python, package: none, version: 1.0.0}
toolchain: []
build: []
checkout: []
run: [nothing]
"""

each = pytest.mark.parametrize(("role", "name"), ALL)


def read(text: str) -> manifest.Manifest:
    return manifest.read(text.encode(), "driver.yaml", "client", "none", DRIVERS)


def test_the_kit_has_its_drivers() -> None:
    """
    By the names under which the command line knows them, in order.
    """
    assert {"javascript", "javascript-daprclient", "python", "python-daprclient"} <= set(manifest.names("client"))
    assert {"javascript", "python"} <= set(manifest.names("worker"))
    assert list(manifest.names("client")) == sorted(manifest.names("client"))


@each
def test_a_driver_is_one_source_file(role: str, name: str) -> None:
    """
    Of at most 250 lines, beside its manifests and nothing that was built.
    """
    folder = DRIVERS / f"{role}s" / name
    files = [path for path in folder.rglob("*") if path.is_file()]
    sources = [path for path in files if path.suffix in SOURCES]

    assert len(sources) == 1
    assert len(sources[0].read_text(encoding="utf-8").splitlines()) <= 250
    assert len(files) <= 8


@each
def test_a_manifest_is_read_and_names_its_schema(role: str, name: str) -> None:
    """
    Editors find the schema by the first line; the commands have no place that nobody fills.
    """
    file = DRIVERS / f"{role}s" / name / manifest.FILE
    first = file.read_text(encoding="utf-8").splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    driver = manifest.load(role, name)
    values = {"version": "1", "folder": "/f", "path": "/p"}
    steps = [*driver.build, *driver.checkout, driver.run, *(step for _, steps in driver.variants for step in steps)]

    assert (file.parent / first).resolve() == Path(spec.__file__).parent / "schemas" / "driver-manifest.json"
    assert driver.title
    assert not [word for step in steps for word in manifest.filled(step, values) if re.search(r"[{}]", word)]


@each
def test_the_version_stands_in_one_line(role: str, name: str) -> None:
    """
    The release that a driver is for is one line of its manifest; its source does not say it, a go.mod may say the same.
    """
    driver, folder = manifest.load(role, name), DRIVERS / f"{role}s" / name
    said = re.compile(rf"(?<![\d.]){re.escape(driver.sdk.version)}(?![\d.])")
    texts = {path: path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}
    counts = {path.name: len(said.findall(text)) for path, text in texts.items()}
    sources = [path.name for path in texts if path.suffix in SOURCES]

    assert counts[manifest.FILE] == 1
    assert [counts[source] for source in sources] == [0]
    assert counts.get("go.mod", 1) == 1


@each
def test_the_default_release_is_the_ordinary_build(role: str, name: str) -> None:
    """
    No variant is meant for it, and a local checkout can be driven too.
    """
    driver = manifest.load(role, name)

    assert driver.checkout
    assert driver.ecosystem.registry
    assert not [steps for steps in (driver.build, driver.checkout) if not steps]


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    """
    A misspelling is nearest to what was meant.
    """
    with pytest.raises(UsageError, match=r'no client of the kit.*; there are .*did you mean "javascript"'):
        manifest.load("client", "javascrip")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("toolchain: []", r"driver.yaml:1:1: toolchain: this key is missing"),
        ("version: 1.0.0", r"driver.yaml:3:6: version: this key is missing"),
        ("run: [nothing]", r"driver.yaml:1:1: run: this key is missing"),
    ],
)
def test_a_manifest_without_what_it_needs_is_refused(change: str, told: str) -> None:
    """
    With file, line and column.
    """
    text = GOOD.replace(f", {change}", "") if change not in GOOD.splitlines() else GOOD.replace(f"{change}\n", "")
    with pytest.raises(BadFiles, match=told):
        read(text)


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ("run: [nothing]", "run: [nothing]\nrnu: [x]", 'unknown key.*did you mean "run"'),
        ("language: python", "language: phyton", 'did you mean "python"'),
        ("run: [nothing]", 'run: ["{nowhere}"]', "does not match"),
        ("version: 1.0.0", "version: newest", "does not match"),
        ("build: []", "build: [[]]", "non-empty|fewer than|less than"),
        ("version: 1\n", "version: 2\n", "1 is expected"),
        ("title: nothing", "title: [", "not YAML"),
    ],
)
def test_a_misspelt_manifest_is_refused(good: str, bad: str, told: str) -> None:
    """
    With what was expected.
    """
    with pytest.raises(BadFiles, match=told):
        read(GOOD.replace(good, bad, 1))


def test_places_are_filled_once() -> None:
    """
    What is filled in is taken as it is, also where it looks like a place.
    """
    filled = manifest.filled(("{folder}/x", "{version}"), {"folder": "/a/{version}", "version": "{folder}"})

    assert filled == ("/a/{version}/x", "{folder}")


def test_every_language_has_its_registry() -> None:
    """
    Those of the schema, the ones to come too; every expression compiles.
    """
    known = spec.schema("driver-manifest")["properties"]["sdk"]["properties"]["language"]["enum"]
    found = manifest.ecosystems()

    assert sorted(found) == sorted(known)
    assert all(re.compile(one.unreachable) and re.compile(one.absent) for one in found.values())


@pytest.mark.parametrize(
    ("language", "unreachable", "absent"),
    [
        ("python", "NewConnectionError: No matching distribution found for x", "ERROR: No matching distribution found"),
        ("javascript", "npm error code ECONNREFUSED", "npm error code ETARGET"),
        ("java", "[ERROR] repo.maven.apache.org: Unknown host", "Could not find artifact io.dapr:x:jar:9 in central"),
        ("go", 'Get "https://x": dial tcp: lookup x: no such host', "unknown revision v9.9.9"),
        ("dotnet", "error NU1301: Unable to load the service index", "error NU1102: Unable to find package"),
    ],
)
def test_a_registry_that_fails_is_known_by_its_words(language: str, unreachable: str, absent: str) -> None:
    """
    Not getting through is told apart from getting no for an answer.
    """
    one = manifest.ecosystems()[language]

    assert re.search(one.unreachable, unreachable)
    assert not re.search(one.unreachable, absent)
    assert re.search(one.absent, absent)
