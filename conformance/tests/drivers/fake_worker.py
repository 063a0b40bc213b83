"""
A worker driver whose SDK is the kit's own worker: a process of its own, started at hello.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys

LIE = sys.argv[sys.argv.index("--lie") + 1] if "--lie" in sys.argv else ""
SDK = {"name": "reference_server.worker", "version": "0.1.0", "language": "python"}


def say(number: int, answer: object) -> None:
    sys.stdout.write(json.dumps({"id": number, **answer}) + "\n")  # type: ignore[dict-item]
    sys.stdout.flush()


def hosting(endpoint: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "reference_server.worker", "--grpc", endpoint["grpc"], "--until-eof"]
    environment = {**os.environ, "DAPR_API_TOKEN": endpoint.get("token", "")}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment)


def main() -> None:
    host = None
    for line in sys.stdin:
        message = json.loads(line)
        number = message["id"]
        if message["op"] == "hello":
            if LIE == "dies at start":
                sys.exit("no stream to the sidecar")
            if LIE != "hosts nothing":
                host = hosting(message["endpoint"])
            if LIE == "dies later":
                signal.signal(signal.SIGALRM, lambda *_: os._exit(9))
                signal.setitimer(signal.ITIMER_REAL, 0.5)
            say(number, {"ok": {"protocol": 1, "role": "worker", "sdk": SDK, "workflows": {}}})
        elif message["op"] == "stop":
            say(number, {"ok": {}})
            break
        else:
            say(number, {"error": {"class": "unsupported", "type": "", "message": message["op"]}})
    if host is not None:
        with contextlib.suppress(OSError):
            host.stdin.close()  # type: ignore[union-attr]
        host.terminate()
        host.wait()


if __name__ == "__main__":
    main()
