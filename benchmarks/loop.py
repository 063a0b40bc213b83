"""
The least that a runner could do, with the client that ours has: `loop.py URL FIELD VALUE COUNT` asks so often, and
compares one field of each answer. The benchmarks start it.
"""

import http.client
import json
import sys
from urllib.parse import urlsplit


def main(url: str, field: str, value: str, amount: str) -> None:
    """
    Ask and compare.
    """
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    for _ in range(int(amount)):
        connection.request("GET", address.path)
        answer = connection.getresponse()
        if answer.status != 200 or json.loads(answer.read())[field] != value:
            raise SystemExit(f"{field} {value} was expected")


if __name__ == "__main__":
    main(*sys.argv[1:])
