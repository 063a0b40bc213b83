"""
Every session of the project; `nox -l` is the manual.
"""

import nox

nox.options.default_venv_backend = "venv"
nox.options.sessions = ["tests", "lint", "types", "imports", "generated", "suite"]


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Run every test, in parallel."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "pytest", "-n", "auto", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and form."""
    session.install("ruff")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check types strictly."""
    session.install("-e", ".[dev]")
    session.run("mypy")


@nox.session
def imports(session: nox.Session) -> None:
    """Check who imports whom."""
    session.install("-e", ".[dev]")
    session.run("lint-imports")


@nox.session
def generated(session: nox.Session) -> None:
    """Check that what is generated is up to date."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "spec.generate", "--check")
    session.run("python", "-m", "conformance.derive", "--check")


@nox.session
def suite(session: nox.Session) -> None:
    """Run the suite against the embedded reference server in every profile."""
    session.install("-e", ".")
    for profile in ("dapr-1.18", "documented", "dapr-edge"):
        session.run("workflow-conformance", "run", "--profile", profile, "--out", f"reports/{profile}")


@nox.session
def mutants(session: nox.Session) -> None:
    """Measure what every scenario is worth and write reports/mutants.md anew; the tests compare it."""
    session.install("-e", ".")
    session.run("workflow-conformance", "mutants", "--all", *session.posargs)


@nox.session
def sdks(session: nox.Session) -> None:
    """Run every client with every worker of the SDKs and write reports/sdks.md anew."""
    session.install("-e", ".")
    session.run("workflow-conformance", "matrix", *session.posargs)
