"""
The methods that look beyond one instance or into its history: list, history, rerun.

Rule 1: fields and rows are those of grpc.yaml and of the table, as for every other method.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from spec import wire
from spec.places import reader, writer

from .fork import Changes, refusal
from .history import written
from .instance import HISTORY, LIST, RERUN, Call, Instance

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from .method import Door

    Unary = Callable[[bytes], Awaitable[bytes]]
    Given = Mapping[str, Any]

PAGE = 1024
"""IDs on a page when the client names no size (dapr actors.go:1161-1177)."""

MALFORMED = "message.malformed"


def records(door: Door) -> Iterator[tuple[str, Unary]]:
    """
    The methods by their paths.
    """
    for operation, kind in ((LIST, Listing), (HISTORY, Past), (RERUN, Rerun)):
        if operation in door.surface.forms:
            yield door.surface.path(operation), kind(door, operation)


class _Method:
    """
    One method: what it reads and writes, by grpc.yaml.
    """

    def __init__(self, door: Door, operation: str) -> None:
        form = door.surface.forms[operation]
        method = wire.services()[door.surface.service][form.method]
        self._door, self._form, self._request, self._response = door, form, method.request, method.response
        self._reads = [(word, reader(method.request.DESCRIPTOR, place)) for word, place in form.fields.items()]
        self._writes = {word: writer(method.response.DESCRIPTOR, place) for word, place in form.answers.items()}

    async def __call__(self, request: bytes) -> bytes:
        """
        Answer one request.

        Raises Refused.
        """
        try:
            message = self._request.FromString(request)
        except (DecodeError, ValueError) as error:
            self._door.statuses.refuse(MALFORMED, reason=str(error) or type(error).__name__)
        given = {word: value for word, read in self._reads if (value := read(message)) is not None}
        response = self._response()
        for word, value in self._values(given).items():
            self._writes[word](response, value)
        return response.SerializeToString()

    def _values(self, given: Given) -> dict[str, Any]:
        raise NotImplementedError

    def _asked(self, given: Given) -> Instance:
        """
        The instance, or a placeholder where the row needs none.
        """
        for check in self._form.refusals:
            if check.missing and not given.get(check.field):
                self._door.statuses.refuse(check.missing)
        call = Call(self._form.operation, given.get("instance", ""))
        answer = self._door.engine.handle(call, self._door.clock.now())
        if answer.reply not in self._door.statuses.fine:
            self._door.statuses.refuse(answer.reply, call)
        return answer.instance or Instance(call.instance, "", "", 0)


class Listing(_Method):
    """
    The IDs of all instances, in order, a page at a time. The token of the next page is the last ID of this one.
    """

    def _values(self, given: Given) -> dict[str, Any]:
        self._asked(given)
        names = self._door.engine.names()
        first = bisect_right(names, given["token"]) if "token" in given else 0
        page = names[first : first + (given.get("size") or PAGE)]
        more = first + len(page) < len(names)
        return {"instances": page, **({"token": page[-1]} if more else {})}


class Past(_Method):
    """
    What an instance has lived through.
    """

    def _values(self, given: Given) -> dict[str, Any]:
        one = self._asked(given)
        return {"events": written(one.history, one.id, one.generation, one.parent, self._door.words[one.state])}


class Rerun(_Method):
    """
    A new instance from an event of an ended one.
    """

    def _values(self, given: Given) -> dict[str, Any]:
        door, number = self._door, int(given.get("number", 0))
        name = given.get("as", "") if "as" in given else door.ids.new()
        call = Call(self._form.operation, given.get("instance", ""))
        if given.get("instance") and given["instance"] == name:
            door.statuses.refuse("rerun.same_id", call)
        source = self._asked(given)
        changes = Changes(bool(given.get("overwrite")), given.get("data"), given.get("child"))
        row, reason = refusal(source, number, changes), str(number)
        if source.parent is not None:
            row = "rerun.child"
        elif not row and door.engine.instance(name) is not None:
            row, reason = "rerun.taken", name
        if row:
            door.statuses.refuse(row, call, reason)
        door.engine.rerun(source, name, number, changes, door.clock.now())
        door.pump.poke()
        return {"instanceID": name}
