"""
Rows of replies.yaml as gRPC statuses.

Rule 1: code and message come from the row; what does not change is made once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

from .instance import Call
from .wording import worded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spec import Spec

LONGEST = 1024
"""Characters of a message: it travels in a header, and clients bound those."""

WAITS = "DEADLINE_EXCEEDED"
"""The code of a row that is never sent: the call waits."""

OK = "OK"
NOBODY = Call("", "")


class Status(NamedTuple):
    """
    What a call ends with. `code` is the name of a gRPC status code.
    """

    code: str
    message: str = ""


class Refused(Exception):  # noqa: N818 - says what came of a call
    """
    A call ends with a status other than OK.
    """

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


class Statuses:
    """
    The statuses of all rows that one surface has.
    """

    def __init__(self, loaded: Spec, surface: str) -> None:
        columns = {name: row.surfaces[surface] for name, row in loaded.replies.items() if surface in row.surfaces}
        self._columns: Mapping[str, Mapping[str, str]] = columns
        self.waits = frozenset(name for name, column in columns.items() if column["code"] == WAITS)
        self.fine = frozenset(name for name, column in columns.items() if column["code"] == OK)
        self.empty = frozenset(name for name, column in columns.items() if column.get("empty"))

    def status(self, row: str, call: Call = NOBODY, reason: str = "") -> Status:
        """
        The status of a row.
        """
        column = self._columns[row]
        return Status(column["code"], worded(column.get("message", ""), call, reason)[:LONGEST])

    def refuse(self, row: str, call: Call = NOBODY, reason: str = "") -> NoReturn:
        """
        End a call with the status of a row.

        Raises Refused.
        """
        raise Refused(self.status(row, call, reason))
