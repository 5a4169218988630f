"""Batches: the caller's own, with their receipts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api import reply
from api.errors import ApiError
from api.gate import Call
from api.reply import Reply
from batch.batch import Batch, State
from batch.ledger import Ledger
from batch.receipt import Books, compose, summary

PAGE = 100
"""How many batches a list has, unless asked for fewer."""

_PARAMETERS = ("group_key", "state", "limit", "before")


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """The batches' endpoints."""

    ledger: Ledger

    async def list(self, call: Call) -> Reply:
        """Tell of batches, newest first, a page at a time.

        Raises:
            ApiError: 400 for a parameter that is none; 403 for a group of somebody else.
        """
        return reply.of(200, await asyncio.to_thread(self._page, call))

    async def get(self, call: Call) -> Reply:
        """Tell a batch's receipt as it stands.

        Raises:
            ApiError: 404, when there is none of the caller's groups with this id.
        """
        batch_id = call.parameters["batch"]
        receipt = await asyncio.to_thread(self._receipt, batch_id, call.groups)
        return reply.of(200, receipt, noted={"batch": batch_id})

    def _page(self, call: Call) -> dict[str, Any]:
        for name in call.query:
            if name not in _PARAMETERS:
                raise _wrong(f"there is no parameter {name}; there are {', '.join(_PARAMETERS)}")
        limit = _limit(call.query)
        before = self._own(call.query["before"], call.groups) if "before" in call.query else None
        found = self.ledger.batches(_groups(call), _state(call.query), limit + 1, before)
        following = found[limit - 1].id if len(found) > limit else None
        return {"batches": [summary(batch) for batch in found[:limit]], "next": following}

    def _receipt(self, batch_id: str, groups: frozenset[str]) -> dict[str, Any]:
        return compose(Books.read(self.ledger, self._own(batch_id, groups)))

    def _own(self, batch_id: str, groups: frozenset[str]) -> Batch:
        batch = self.ledger.batch(batch_id)
        if batch is None or batch.group_key not in groups:
            raise ApiError(404, "batch", "There is no such batch in the groups of this key.")
        return batch


def _groups(call: Call) -> frozenset[str]:
    asked = call.query.get("group_key")
    if asked is None:
        return call.groups
    if asked not in call.groups:
        raise ApiError(403, "group", "This key may not use this group.")
    return frozenset({asked})


def _state(query: Mapping[str, str]) -> State | None:
    asked = query.get("state")
    if asked is not None and asked not in set(State):
        raise _wrong(f"state is one of {', '.join(State)}")
    return None if asked is None else State(asked)


def _limit(query: Mapping[str, str]) -> int:
    asked = query.get("limit", str(PAGE))
    if not (asked.isascii() and asked.isdigit() and len(asked) < 4 and 1 <= int(asked) <= PAGE):
        raise _wrong(f"limit is a number from 1 to {PAGE}")
    return int(asked)


def _wrong(reason: str) -> ApiError:
    return ApiError(400, "request.parameter", f"The query cannot be used: {reason}.")
