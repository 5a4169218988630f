"""What operations answer: their documents, and every error that they can tell of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from api.codes import CODES, SIGNATURE
from api.openapi import examples
from api.openapi.schemas import ref

Responses = dict[str, dict[str, Any]]

_HEADER = ["request.header.twice", "request.path", "request.query", "body.encoding"]
_ALWAYS = ["body.timeout", "body.size", "unavailable", "fault"]
_IN_QUERY = ["signature.query", "signature.expired"]
_IN_HEADERS = ["signature.missing", "signature.payload", "signature.token"]

SIGNED = (*_HEADER, *(code for code in SIGNATURE if code not in _IN_QUERY), *_ALWAYS, "rate")
"""What every signed request may be told."""

PRESIGNED = (*_HEADER, *(code for code in SIGNATURE if code not in _IN_HEADERS), *_ALWAYS)
"""What a request to a presigned URL may be told."""

_MEANINGS = {
    400: "The request is not as it must be.",
    403: "The request is not believed, or its key may not do this.",
    404: "There is no such thing.",
    408: "The request came too slowly.",
    413: "The request is too large.",
    422: "The request can be read, and breaks rules.",
    429: "There are too many requests.",
    500: "It is not the request's fault.",
    503: "It cannot be done just now.",
}
_RETRY_AFTER = {
    "description": "Seconds after which to try again.",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
_WAITING = {429, 503}


def answered(described: str, schema: str, **shown: Any) -> dict[str, Any]:
    """Return a response with a document of a named schema, and examples of it."""
    content = {"schema": ref(schema), "examples": {name: {"value": value} for name, value in shown.items()}}
    return {"description": described, "content": {"application/json": content}}


def refusals(codes: Iterable[str]) -> Responses:
    """Return the responses that tell of errors with these codes, by status."""
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in codes:
        by_status[CODES[code].status].append(code)
    return {str(status): _refusal(status, by_status[status]) for status in sorted(by_status)}


def _refusal(status: int, codes: list[str]) -> dict[str, Any]:
    shown = {code: {"value": examples.error(code)} for code in codes}
    content = {"schema": _error_of(codes), "examples": shown}
    meanings = "\n".join(f"- `{code}`: {CODES[code].meaning} {CODES[code].remedy}" for code in codes)
    headers = {"headers": {"Retry-After": _RETRY_AFTER}} if status in _WAITING else {}
    return {
        "description": f"{_MEANINGS[status]}\n\n{meanings}",
        **headers,
        "content": {"application/json": content},
    }


def _error_of(codes: list[str]) -> dict[str, Any]:
    narrow = {"properties": {"error": {"properties": {"code": {"enum": codes}}}}}
    return {"allOf": [ref("Error"), narrow]}
