"""Examples: one exchange with the group that `flatdrop init` makes, from a record to its receipt."""

from __future__ import annotations

import hashlib
from typing import Any

from api.codes import CODES

GROUP = "acme-se"
RECORD_ID = "20261123T023112417Z-k3v7q2ma-1"
BATCH = "20261123T023112Z-x5d2mq7a"
MOMENT = "2026-11-23T02:31:12.417Z"
DROP = f"{GROUP}/2026/customers.csv"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

Document = dict[str, Any]

NEW_RECORD: Document = {
    "data": {"email": "anna@example.com", "first_name": "Anna", "consent": True, "tags": ["spring"], "customer_id": 17},
    "group_key": GROUP,
}
ACCEPTED: Document = {"record_id": RECORD_ID, "status": "accepted"}
_DELIVERED: Document = {"outcome": "delivered", "code": None, "message": None}
TRACE: Document = {
    **ACCEPTED,
    "group_key": GROUP,
    "status": "partial",
    "received_at": MOMENT,
    "batch": BATCH,
    "row": 1,
    "reason": None,
    "integrations": {
        "newsletter": _DELIVERED,
        "crm": {"outcome": "rejected", "code": "rejected.400", "message": "Property values were not valid"},
        "warehouse": _DELIVERED,
    },
    "details": [],
}
RUNNING: Document = {
    **TRACE,
    "status": "running",
    "integrations": {
        "newsletter": _DELIVERED,
        "crm": {"outcome": None, "code": None, "message": None},
        "warehouse": _DELIVERED,
    },
}
SUMMARY: Document = {
    "batch": BATCH,
    "group_key": GROUP,
    "file": DROP,
    "state": "partial",
    "rows": 1000,
    "invalid": 2,
    "reason": None,
    "received_at": MOMENT,
    "finished_at": "2026-11-23T02:31:14.055Z",
}
BATCHES: Document = {"batches": [SUMMARY], "next": None}
_COUNTS: Document = {
    "delivered": 998,
    "acknowledged": 0,
    "filtered": 0,
    "unchanged": 0,
    "invalid": 0,
    "rejected": 0,
    "failed": 0,
    "unknown": 0,
    "requests": 2,
    "possible_duplicates": 0,
}
RECEIPT: Document = {
    **SUMMARY,
    "version": SHA256,
    "sha256": SHA256,
    "bytes": 81920,
    "config": SHA256,
    "started_at": "2026-11-23T02:31:12.530Z",
    "rows": {"read": 1000, "valid": 998, "invalid": 2},
    "integrations": {
        "newsletter": {**_COUNTS, "delivered": 700, "filtered": 298},
        "warehouse": _COUNTS,
    },
    "codes": [
        {
            "integration": None,
            "code": "email.format",
            "column": "email",
            "rows": 2,
            "first_row": 17,
            "message": "Write one address, like name@example.com.",
        }
    ],
}
RECEIPT.pop("invalid")
NEW_UPLOAD: Document = {"group_key": GROUP, "file": "2026/customers.csv"}
SIGNED_QUERY: Document = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": "FD7Q2M8ZK4T0W6XB1R5C/20261123/eu-north-1/execute-api/aws4_request",
    "X-Amz-Date": "20261123T023112Z",
    "X-Amz-Expires": 900,
    "X-Amz-SignedHeaders": "host",
}
UPLOAD: Document = {
    "url": "https://in.example.com/v1/uploads?file=acme-se%2F2026%2Fcustomers.csv&X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=FD7Q2M8ZK4T0W6XB1R5C%2F20261123%2Feu-north-1%2Fexecute-api%2Faws4_request"
    "&X-Amz-Date=20261123T023112Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    "method": "PUT",
    "file": DROP,
    "expires_at": "2026-11-23T02:46:12Z",
}
FILE = "email,first_name\nanna@example.com,Anna\n"
UPLOADED: Document = {
    "file": DROP,
    "bytes": len(FILE),
    "sha256": hashlib.sha256(FILE.encode()).hexdigest(),
}
ALIVE: Document = {"status": "ok"}
READY: Document = {"status": "ok", "ledger": "ok", "drop_zone": "ok"}
NOT_READY: Document = {"status": "unavailable", "ledger": "down", "drop_zone": "ok"}


def error(code: str) -> Document:
    """Return the answer that tells of an error."""
    return {"error": {"code": code, "message": CODES[code].meaning, "details": _DETAILS.get(code, [])}}


_DETAILS: dict[str, list[Document]] = {
    "record.invalid": [
        {"attribute": "email", "code": "email.format", "message": "Write one address, like name@example.com."},
        {"attribute": "postcode", "code": "matches", "message": "Does not match the attribute's pattern."},
    ],
    "row.nested": [{"attribute": None, "code": "row.nested", "message": CODES["row.nested"].meaning}],
}
