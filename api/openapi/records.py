"""The operations on records."""

from __future__ import annotations

from typing import Any

from api.codes import RECORD
from api.openapi import examples
from api.openapi.answers import SIGNED, answered, refusals
from api.openapi.operation import Operation, body, link, operation, parameter
from api.openapi.schemas import ID, TEXT, Schema
from api.records import LONGEST_WAIT, REMEMBERED

_REFUSED = (
    *("body.json", "body.shape", "body.duplicate_key", *RECORD, "idempotency.key"),
    *("group", "record.invalid", "idempotency.reused", "overloaded"),
)
_APPLIED: dict[str, Any] = {
    "Preference-Applied": {
        "description": "The wish as it was heeded; only with `Prefer`.",
        "schema": {"type": "string", "pattern": "^wait=[0-9]+$"},
    }
}
_KEY: Schema = {"type": "string", "pattern": '^"?[!#-\\[\\]-~]{1,255}"?$'}


def post() -> Operation:
    """Return the operation that takes a record."""
    durable = "It is durable, and will be delivered. With `Prefer: wait=N`, the time was over before it settled."
    taken = answered(durable, "Taken", accepted=examples.ACCEPTED, running=examples.RUNNING)
    traced = answered("What became of it, with `Prefer: wait=N`.", "Trace", settled=examples.TRACE)
    following = link("getRecord", "record_id", "record_id")
    return operation(
        "postRecord",
        "records",
        "Send a record",
        "Takes one record, which meets exactly the check and the mapping that the same row of a file does.",
        {
            "200": traced | {"headers": _APPLIED} | following,
            "202": taken | {"headers": _APPLIED} | following,
            **refusals((*SIGNED, *_REFUSED)),
        },
        parameters=[_prefer(), _idempotency_key()],
        requestBody=body("NewRecord", examples.NEW_RECORD),
    )


def _prefer() -> dict[str, Any]:
    described = (
        "`wait=N` (RFC 7240): answer once the record has an outcome on every integration, or N seconds are over; "
        f"{LONGEST_WAIT} at most. What cannot be read here is passed over."
    )
    return parameter("header", "Prefer", TEXT, described, "wait=10")


def _idempotency_key() -> dict[str, Any]:
    hours = int(REMEMBERED.total_seconds()) // 3600
    described = (
        f"Makes a retry safe: the same key with the same body within {hours} hours is answered with the first "
        "`record_id`, and the record is taken once. What is sent again with the same signature is taken once anyway."
    )
    return parameter("header", "Idempotency-Key", _KEY, described, "order-1017")


def get() -> Operation:
    """Return the operation that tells what became of a record."""
    return operation(
        "getRecord",
        "records",
        "Ask what became of a record",
        "Tells where the record stands on each integration of its group.",
        {
            "200": answered("Where it stands.", "Trace", settled=examples.TRACE, running=examples.RUNNING),
            **refusals((*SIGNED, "path", "record")),
        },
        parameters=[parameter("path", "record_id", ID, "The record's id.", examples.RECORD_ID)],
    )
