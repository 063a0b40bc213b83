"""
The command line: arguments -> assembly -> serving. A mistake is one line on stderr, and exit code 2.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import spec

from .assembly import Settings, build, holds
from .faults.mutant import Fault
from .script import Grammar, ScriptError
from .serving import CannotListen, listen, serve, url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp

    from .over_grpc import Port
    from .serving import Driver

_USAGE = 2
EVERY = "every"
"""In place of a mutant's name: all of them in one process, each below a prefix."""

CONTROL = "/__control/"
"""Below this path is the control."""

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


class UsageError(Exception):
    """
    An argument cannot be used; the text says which, and what was expected.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Serve as the arguments say; the exit code.
    """
    try:
        chosen = _parser().parse_args(arguments)
        logging.basicConfig(level=chosen.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
        logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.getLogger().level))
        if chosen.list_mutants:
            return _list()
        settings = _settings(chosen)

        def ready() -> None:
            _told(chosen, settings.profile, [url(bound) for bound in sockets], port.places if port else [])

        app, driver, port = _built(chosen, settings)
        sockets = listen(chosen.dapr_listen_addresses.split(","), chosen.dapr_http_port)
        serve(app, driver, sockets, ready, port)
    except (UsageError, CannotListen, spec.SpecError, spec.BadFile) as error:
        sys.stderr.write(f"reference_server: {' '.join(str(error).split())}\n")
        return _USAGE
    return 0


def _told(chosen: argparse.Namespace, profile: str, http: list[str], grpc: list[str]) -> None:
    """
    Say where the server is: a sentence for people, and one line of JSON for programs that want it.
    """
    also = f", gRPC on {', '.join(grpc)}" if grpc else ""
    sys.stderr.write(f"workflow API on {', '.join(http)}{also} (profile {profile}); Ctrl-C stops it\n")
    if chosen.ready_json:
        control = {"control": http[0] + CONTROL} if chosen.control else {}
        line = {"ready": True, "http": http[0], **({"grpc": grpc[0]} if grpc else {}), **control, "profile": profile}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def _built(chosen: argparse.Namespace, settings: Settings) -> tuple[ASGIApp, Driver, Port | None]:
    from .over_grpc import Calls, Port  # noqa: PLC0415 - gRPC is for those who serve it

    def opened(services: Any) -> Port:
        addresses = chosen.dapr_listen_addresses.split(",")
        return Port(services, addresses, chosen.dapr_grpc_port, settings.max_body)

    if chosen.control:
        from .control.stage import Stage  # noqa: PLC0415 - only for those who ask for it

        stage = Stage(settings, chosen.mutant)
        return stage, stage, opened(Calls(stage.call))
    if chosen.mutant == EVERY:
        from .gallery import Gallery  # noqa: PLC0415 - only for those who ask for mutants

        gallery = Gallery(settings)
        return gallery, gallery, opened(Calls(gallery.call))
    server = build(settings)
    return server.app, server.pump, opened(server.services({}))


def _list() -> int:
    from .faults.catalogue import catalogue  # noqa: PLC0415 - as above

    for mutant in catalogue().values():
        sys.stdout.write(json.dumps(mutant.as_line(), ensure_ascii=False) + "\n")
    return 0


def _fault(name: str) -> tuple[Fault, str]:
    """
    The fault of a mutant, and the profile that it is one in.
    """
    if name in ("", EVERY):
        return Fault(), ""
    from .faults.catalogue import named  # noqa: PLC0415 - as above

    mutant = named(name)
    return mutant.fault, mutant.profile


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; --help shows what there is")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="reference_server",
        description="A sidecar's workflow management API. DAPR_API_TOKEN in the environment turns on the token check.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--dapr-http-port", type=_port, default=3500, metavar="N", help="port, 0 picks a free one (%(default)s)")
    add("--dapr-grpc-port", type=_port, default=50001, metavar="N", help="port, 0 picks a free one (%(default)s)")
    add("--dapr-listen-addresses", default="127.0.0.1", metavar="A,...", help="addresses (%(default)s)")
    add("--app-id", default="reference", metavar="ID", help="ID in the metadata (%(default)s)")
    add("--profile", default="", metavar="P", help=f"{', '.join(spec.profiles())} ({spec.DEFAULT_PROFILE})")
    add("--no-executor", action="store_true", help="run no workflow; instances wait for a worker")
    add("--settle", type=_milliseconds, default=0, metavar="MS", help="delay of every effect (%(default)s)")
    add("--max-body-size", type=_size, default="4Mi", metavar="SIZE", help="largest request body (%(default)s)")
    add("--hold", default="", metavar="STATE", help=f"keep new instances in {' or '.join(_holds())}")
    add("--store", choices=["memory"], default="memory", help="where instances are kept (%(default)s)")
    add("--workflow", action="append", default=[], metavar="NAME=FILE", help="a workflow of your own: a script in YAML")
    add("--mutant", default="", metavar="NAME", help=f"be wrong in one way; {EVERY}: each below /NAME/HOLD")
    add("--control", action="store_true", help=f"answer {CONTROL} to programs on this machine: what was asked, faults")
    add("--list-mutants", action="store_true", help="print every mutant as one JSON line, and end")
    add("--log-level", choices=["debug", "info", "warning", "error"], default="info", help="(%(default)s)")
    add("--ready-json", action="store_true", help="print one JSON line on stdout when ready")
    return parser


def _settings(chosen: argparse.Namespace) -> Settings:
    if chosen.hold and chosen.hold not in _holds():
        raise UsageError(f"--hold {chosen.hold}: instances can be held in {' or '.join(_holds())}")
    if chosen.control and chosen.mutant == EVERY:
        raise UsageError(f"--control --mutant {EVERY}: the control is that of one server; name one mutant, or none")
    fault, profile = _fault(chosen.mutant)
    return Settings(
        fault=fault,
        profile=chosen.profile or profile or spec.DEFAULT_PROFILE,
        app_id=chosen.app_id,
        settle=chosen.settle,
        max_body=chosen.max_body_size,
        hold=chosen.hold,
        executor=not chosen.no_executor,
        token=os.environ.get("DAPR_API_TOKEN", ""),
        scripts=dict(_script(pair) for pair in chosen.workflow),
    )


def _holds() -> list[str]:
    return list(holds(spec.load().machine))


def _script(pair: str) -> tuple[str, Any]:
    name, separator, file = pair.partition("=")
    if not (name and separator and file):
        raise UsageError(f"--workflow {pair}: NAME=FILE is expected")
    try:
        document = spec.read(Path(file).read_bytes(), file)
    except OSError as error:
        raise UsageError(f"--workflow {pair}: {(error.strerror or str(error)).lower()}") from None
    try:
        Grammar(spec.workflows()["instructions"]).read(document.data)
    except ScriptError as error:
        raise UsageError(f"{file}: {error}") from None
    return name, document.data


def _port(text: str) -> int:
    port = int(text) if re.fullmatch(r"[0-9]{1,5}", text) else -1
    if not 0 <= port <= 65535:  # noqa: PLR2004 - ports have 16 bits
        raise argparse.ArgumentTypeError(f"{text!r} is no port, 0 to 65535")
    return port


def _milliseconds(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of milliseconds")
    return int(text)


def _size(text: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,9})([kMG]|[KMG]i)?", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; 4Mi, 512Ki or a number of bytes is expected")
    return int(found[1]) * _UNITS[found[2] or ""]
