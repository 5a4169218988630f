"""Every error code that the API answers with: its HTTP status, what it means, and what to do about it.

Codes are stable: they may be added to, never renamed. `docs/reference/api-errors.md` and the OpenAPI document are made
from this list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from batch.codes import ROW
from batch.reading.strict import MESSAGES


@dataclass(frozen=True, slots=True)
class Code:
    """What stands behind a code."""

    status: int
    meaning: str
    remedy: str


REQUEST: Mapping[str, Code] = {
    "path": Code(404, "There is nothing at this path.", "Take the paths from `/v1/openapi.json`, as they stand there."),
    "request.method": Code(405, "The path does not take this method.", "Use one that the `Allow` header names."),
    "request.path": Code(
        400,
        "The path has escapes, or empty or dot segments, which clients sign differently.",
        "Send ids as the API gave them; none of them needs an escape.",
    ),
    "request.query": Code(
        400,
        "The query is not escaped as RFC 3986 has it, names a parameter twice, or stands where none is taken.",
        "Write it as `name=value&name=value`, with all but `A-Z a-z 0-9 - . _ ~` as `%XX`.",
    ),
    "request.parameter": Code(
        400, "There is no such parameter, or it does not take this value.", "Send what the message names."
    ),
    "request.header.twice": Code(
        400,
        "A header came twice of which programs on the way might see the first, or the last.",
        "Send it once.",
    ),
    "request.host": Code(
        400,
        "The Host header is not the name of a host, and the address of an upload cannot be made from it.",
        "Send the name under which the API is reached; an operator may set `api.url`.",
    ),
}

BODY: Mapping[str, Code] = {
    "body.json": Code(400, "The body is not JSON in UTF-8.", "Send one JSON object; NaN and Infinity are not JSON."),
    "body.shape": Code(400, "The body is JSON of another shape.", "Send what the message shows, and no more."),
    "body.duplicate_key": Code(400, "A member of the body stands twice.", "Send each member once."),
    "body.encoding": Code(400, "The body is compressed.", "Send it as it is, without a `Content-Encoding`."),
    "body.timeout": Code(408, "The body did not come in time.", "Send the request again."),
    "body.size": Code(
        413,
        "The body is larger than this installation takes.",
        "Send less, or put a file into the drop zone; an operator may raise `api.max_body` or `api.max_upload`.",
    ),
}

SIGNATURE: Mapping[str, Code] = {
    "signature.missing": Code(
        403, "The request is not signed.", "Sign it with AWS Signature Version 4, as any AWS SDK does."
    ),
    "signature.malformed": Code(
        403, "A part of the signature has not the form that it must have.", "Leave signing to an AWS SDK, or to curl."
    ),
    "signature.algorithm": Code(403, "It was signed by another algorithm.", "Use AWS4-HMAC-SHA256."),
    "signature.date": Code(403, "The signature's time cannot be read.", "Write it in UTC, as `20261123T023112Z`."),
    "signature.clock": Code(
        403,
        "The signature's time is too far off.",
        "Set the clock of the machine that signs; the message tells the time here.",
    ),
    "signature.scope": Code(
        403,
        "It was signed for another region, service or day.",
        "Sign for the region and the service that the message names.",
    ),
    "signature.headers": Code(
        403,
        "A header that must be signed is not, or a signed one did not come.",
        "Set headers before signing, and let nothing on the way add or take away any of `X-Amz-*` or `Content-Type`.",
    ),
    "signature.payload": Code(
        403,
        "`X-Amz-Content-Sha256` is not the hash of the body.",
        "Sign the payload; unsigned and streamed payloads are not taken.",
    ),
    "signature.token": Code(403, "A session token came.", "Sign with an API key of this installation, which has none."),
    "signature.both": Code(
        403,
        "There is a signature in the headers, and one in the query.",
        "Sign in one place: an upload's URL is enough.",
    ),
    "signature.query": Code(
        403, "The signature in the query is not whole.", "Use the URL of an upload as it is, without a change."
    ),
    "signature.expired": Code(403, "The URL of the upload has expired.", "Ask for a new one."),
    "signature.mismatch": Code(
        403,
        "The signature is not that of this request, or nobody has this key.",
        "Check the key and its secret, and that nothing on the way changes the request.",
    ),
}

TAKEN: Mapping[str, Code] = {
    "group": Code(
        403,
        "The key may not use this group, whether or not there is one.",
        "Check the group's key; an operator creates API keys for groups.",
    ),
    "record": Code(404, "No group of this key has such a record.", "Use the `record_id` as the API gave it."),
    "batch": Code(404, "No group of this key has such a batch.", "Take the id from the list of batches."),
    "record.invalid": Code(
        422, "The record breaks rules of its group.", "Mend every attribute that `details` names, and send it again."
    ),
    "idempotency.key": Code(
        400, "The `Idempotency-Key` cannot be one.", "Send 1 to 255 visible ASCII characters, say a UUID."
    ),
    "idempotency.reused": Code(
        422,
        "The same `Idempotency-Key` came before with another body.",
        "Send a new key for another record, and the same body with the same key.",
    ),
    "upload.name": Code(
        422, "The file has no name that a drop can have.", "Name it like `customers.csv` or `2026/customers.jsonl.gz`."
    ),
    "rate": Code(429, "The key makes too many requests.", "Wait for the seconds of `Retry-After`."),
    "overloaded": Code(
        503,
        "More records come than can be written.",
        "Send it again after the seconds of `Retry-After`; the record was not taken.",
    ),
    "unavailable": Code(
        503,
        "The ledger or the drop zone cannot be used.",
        "Send it again after the seconds of `Retry-After`, with the same `Idempotency-Key`.",
    ),
    "fault": Code(500, "A fault of the program.", "Tell the operator, who sees it in the log."),
}

RECORD: Mapping[str, Code] = {code: Code(400, *ROW[code]) for code in MESSAGES}
"""What makes `data` no record, in the words that files get for it."""

CODES: Mapping[str, Code] = {**REQUEST, **BODY, **RECORD, **SIGNATURE, **TAKEN}
