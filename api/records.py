"""Records: taking one, and telling what became of it."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from api import reply
from api.envelope import opened
from api.errors import ApiError, Detail
from api.gate import Call
from api.intake import Intake
from api.reply import Reply
from api.settling import Settling
from batch.answers import lasting, timed
from batch.errors import LedgerError
from batch.ledger import Ledger
from batch.outcome import Finding
from batch.receipt import Books
from batch.taking import Invalid, Offer, Reused
from batch.tracing import trace
from config.group import Group

REMEMBERED = timedelta(hours=24)
"""How long an idempotency key is remembered."""

LONGEST_WAIT = 60
"""Seconds that a caller can ask to wait."""

_MARGIN = timedelta(minutes=1)  # servers' clocks may differ
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\b", re.IGNORECASE)
_KEY = re.compile(r'"?([\x21\x23-\x5b\x5d-\x7e]{1,255})"?')


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """The records' endpoints; `window` is how long a signature stays good on either side of its time."""

    groups: Mapping[str, Group]
    ledger: Ledger
    intake: Intake
    settling: Settling
    window: timedelta

    async def post(self, call: Call) -> Reply:
        """Take a record; answer once it is durable, or with `Prefer: wait` once it has an outcome everywhere.

        Raises:
            ApiError: when it is not taken.
        """
        envelope = opened(call.body)
        if envelope.group_key not in call.groups or envelope.group_key not in self.groups:
            raise ApiError(403, "group", "This key may not use this group.")
        offer = Offer(envelope.group_key, envelope.line, self._names(call, envelope.group_key), _hash(call.body))
        result = await self.intake.offer(offer)
        if isinstance(result, Invalid):
            raise _refusal(result)
        if isinstance(result, Reused):
            message = "This Idempotency-Key came before with another body; use a new key for another record."
            raise ApiError(422, "idempotency.reused", message)
        seconds = _asked_to_wait(call.headers)
        told = await self._waited(call, result, seconds) if seconds else None
        noted = {"record": result, "group": envelope.group_key}
        if told is None:
            return reply.of(202, {"record_id": result, "status": "accepted"}, noted=noted)
        applied = (b"preference-applied", b"wait=%d" % seconds)
        return reply.of(200 if told["status"] not in ("accepted", "running") else 202, told, applied, noted=noted)

    async def get(self, call: Call) -> Reply:
        """Tell what became of a record.

        Raises:
            ApiError: 404, when there is none of the caller's groups with this id.
        """
        record = call.parameters["record_id"]
        told = await asyncio.to_thread(self._told, record, call.groups)
        if told is None:
            raise ApiError(404, "record", "There is no such record in the groups of this key.")
        return reply.of(200, told, noted={"record": record})

    async def _waited(self, call: Call, record: str, seconds: int) -> dict[str, Any] | None:
        """Return what became of a record after a while; None when nobody can say just now: it is taken all the same."""
        await self.settling.wait(record, seconds)
        with suppress(LedgerError):
            return await asyncio.to_thread(self._told, record, call.groups)
        return None

    def _told(self, record: str, groups: frozenset[str]) -> dict[str, Any] | None:
        found = self.ledger.packets.find(record, groups)
        if found is None:
            return None
        packet, number = found
        batch = self.ledger.batch(packet.batch) if packet.batch else None
        return trace(packet, number, Books.read(self.ledger, batch) if batch else None)

    def _names(self, call: Call, group_key: str) -> dict[bytes, int]:
        """Return what makes this request the same one when it comes again: its signature, and its idempotency key."""
        signed = call.signed
        until = int((signed.at + self.window + _MARGIN).timestamp())
        names = {timed(until, _hash(b"signature", signed.credential.id.encode(), signed.signature)): until}
        if (given := call.headers.get(b"idempotency-key")) is not None:
            key = _KEY.fullmatch(given.decode("latin-1").strip())
            if key is None:
                raise ApiError(400, "idempotency.key", "An Idempotency-Key is 1 to 255 visible ASCII characters.")
            by_key = lasting(_hash(b"key", group_key.encode(), key[1].encode()))
            names[by_key] = int(time.time() + REMEMBERED.total_seconds())
        return names


def _hash(*parts: bytes) -> bytes:
    return hashlib.sha256(b"\0".join(parts)).digest()[:16]  # 128 bits tell more requests apart than there will be


def _asked_to_wait(headers: Mapping[bytes, bytes]) -> int:
    """Return the seconds of `Prefer: wait=N` (RFC 7240); what cannot be read there is passed over, as it says."""
    found = _WAIT.search(headers.get(b"prefer", b"").decode("latin-1"))
    return min(int(found[1]), LONGEST_WAIT) if found else 0


def _refusal(invalid: Invalid) -> ApiError:
    """Return what a caller is told of a record that is none, or that breaks rules: all of them."""
    details = [_detail(finding) for finding in invalid.findings]
    first = details[0]
    if first.attribute is None:
        return ApiError(400, first.code, first.message, details)
    rules = "a rule" if len(details) == 1 else f"{len(details)} rules"
    return ApiError(422, "record.invalid", f"The record breaks {rules} of the group.", details)


def _detail(finding: Finding) -> Detail:
    return Detail(finding.column, finding.code, finding.message)
