"""Replies: a status, a JSON body and headers, and how they are sent over ASGI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
from starlette.types import Send

from api.errors import ApiError

Header = tuple[bytes, bytes]

_JSON = (b"content-type", b"application/json")


class Reply(NamedTuple):
    """What a caller gets; `noted` is what the access log tells of it."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = ()
    noted: Mapping[str, str] = MappingProxyType({})

    def noting(self, **more: str) -> Reply:
        """Return the same reply with more for the access log."""
        return self._replace(noted={**self.noted, **more})

    async def send(self, send: Send) -> None:
        """Send the whole reply."""
        length = (b"content-length", b"%d" % len(self.body))
        head = {"type": "http.response.start", "status": self.status, "headers": [_JSON, length, *self.headers]}
        await send(head)
        await send({"type": "http.response.body", "body": self.body})


def of(status: int, document: Any, *headers: Header, noted: Mapping[str, str] | None = None) -> Reply:
    """Return a reply with a document as JSON."""
    return Reply(status, msgspec.json.encode(document), headers, noted or {})


def refusal(error: ApiError) -> Reply:
    """Return the reply that tells of an error."""
    said = {"code": error.code, "message": error.message, "details": [asdict(one) for one in error.details]}
    headers = [(b"retry-after", b"%d" % error.retry_after)] if error.retry_after is not None else []
    if error.status == 408:
        headers.append((b"connection", b"close"))  # what comes late is no new request
    return of(error.status, {"error": said}, *headers, noted={"code": error.code})
