"""
The command line of the worker: arguments -> host. A mistake is one line on stderr, and exit code 2.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import spec
from reference_server.executor import BuiltIn

from .host import Host

if TYPE_CHECKING:
    from collections.abc import Sequence

_USAGE = 2


class UsageError(Exception):
    """
    An argument cannot be used; the text says which, and what was expected.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Work until SIGTERM, SIGINT or, if asked, the end of stdin; the exit code.
    """
    try:
        chosen = _parser().parse_args(arguments)
    except UsageError as error:
        sys.stderr.write(f"reference_server.worker: {error}\n")
        return _USAGE
    logging.basicConfig(level=chosen.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    executor = BuiltIn(spec.workflows()["instructions"])
    token = os.environ.get("DAPR_API_TOKEN", "")
    host = Host(chosen.grpc, executor, token, delay=chosen.delay / 1000, authorities=chosen.ca)
    asyncio.run(_work(host, until_eof=chosen.until_eof))
    return 0


async def _work(host: Host, *, until_eof: bool) -> None:
    loop = asyncio.get_running_loop()
    work = asyncio.ensure_future(host.run())
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, work.cancel)
    if until_eof:
        loop.add_reader(sys.stdin.fileno(), _gone, work)
    try:
        await work
    except asyncio.CancelledError:
        return
    finally:
        if until_eof:
            loop.remove_reader(sys.stdin.fileno())


def _gone(work: asyncio.Future[None]) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        work.cancel()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; --help shows what there is")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="reference_server.worker",
        description="Runs the kit workflows for a sidecar. DAPR_API_TOKEN in the environment is the token it sends.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--grpc",
        type=_place,
        required=True,
        metavar="HOST:PORT",
        help="the gRPC port of the sidecar; https://HOST:PORT for TLS",
    )
    add("--ca", type=_content, default=b"", metavar="FILE", help="certificates to trust for https")
    add("--delay", type=_milliseconds, default=0, metavar="MS", help="how long each item takes (%(default)s)")
    add("--until-eof", action="store_true", help="end when stdin does")
    add("--log-level", choices=["debug", "info", "warning", "error"], default="info", help="(%(default)s)")
    return parser


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _milliseconds(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: a number of milliseconds is expected")
    return int(text)


def _place(text: str) -> str:
    host, _, port = text.removeprefix("https://").rpartition(":")
    if not host or not (port.isdecimal() and 0 < int(port) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r}: HOST:PORT is expected")
    return text
