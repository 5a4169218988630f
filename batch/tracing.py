"""Tracing: what became of one record that the API took."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from batch.account import Account
from batch.batch import State
from batch.outcome import SETTLED, Finding, Outcome
from batch.packets import Packet
from batch.receipt import Books, iso


def trace(packet: Packet, number: int, books: Books | None) -> dict[str, Any]:
    """Return what became of a record.

    Args:
        packet: what it was taken with.
        number: its row in the packet.
        books: the batch that the packet is a part of, and its accounts; None while it waits for one.

    Returns:
        `status` is `accepted` while the record waits, `running`, and then as a batch of this record alone would have
        closed: `delivered`, `partial` or `failed`.
    """
    if books is None or packet.first_row is None:
        return _told(packet, number, "accepted")
    row = packet.first_row + number - 1
    refused = [finding for finding in books.check.findings() if row in finding.rows]
    shares = {} if refused else {name: _share(account, row) for name, account in books.accounts.items()}
    outcomes = [Outcome.INVALID] if refused else [account.outcome(row) for account in books.accounts.values()]
    return _told(packet, number, _status(books.batch.state, outcomes)) | {
        "batch": books.batch.id,
        "row": row,
        "reason": books.batch.reason,
        "integrations": shares,
        "details": [_detail(finding) for finding in refused],
    }


def _told(packet: Packet, number: int, status: str) -> dict[str, Any]:
    return {
        "record_id": packet.record_id(number),
        "group_key": packet.group_key,
        "status": status,
        "received_at": iso(packet.taken_at),
        "batch": None,
        "row": None,
        "reason": None,
        "integrations": {},
        "details": [],
    }


def _status(state: State, outcomes: Collection[Outcome | None]) -> str:
    if state is State.FAILED:
        return "failed"
    if None in outcomes or not outcomes:
        return "running"
    return "delivered" if all(outcome in SETTLED for outcome in outcomes) else "partial"


def _share(account: Account, row: int) -> dict[str, str | None]:
    outcome = account.outcome(row)
    said = [finding for finding in account.findings() if row in finding.rows]
    return {
        "outcome": outcome and outcome.value,
        "code": said[0].code if said else None,
        "message": "; ".join(finding.message for finding in said) or None,
    }


def _detail(finding: Finding) -> dict[str, str | None]:
    return {"attribute": finding.column, "code": finding.code, "message": finding.message}
