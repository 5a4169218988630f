"""The gate: a request's body within bounds, its signature, and its caller's pace, before anything else looks at it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote

from aiolimiter import AsyncLimiter
from starlette.types import Receive, Scope

from api.credential import Credential
from api.errors import ApiError, Disconnected
from api.keyring import Keyring
from api.protocol import WHOLE
from api.signature import Received, Refused, Signed, Verifier

_PATIENCE = 30  # seconds in which the whole of a body must come
_BARE = {b"content-encoding": b"identity", b"transfer-encoding": b"chunked"}


class Call(NamedTuple):
    """A request whose caller is known: `parameters` come from its path, `query` and `headers` are decoded."""

    signed: Signed
    method: str
    body: bytes
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[bytes, bytes]

    @property
    def groups(self) -> frozenset[str]:
        """The groups that the caller may speak of."""
        return self.signed.credential.groups


@dataclass(slots=True)
class Gate:
    """Lets requests in; `most` is the bytes that a body may have, `pace` the requests a second of one key."""

    keyring: Keyring
    verifier: Verifier
    most: int
    pace: float
    _paces: dict[str, AsyncLimiter] = field(default_factory=dict)

    async def admit(self, scope: Scope, receive: Receive) -> Call:
        """Return the call that a request makes.

        Raises:
            ApiError: 400, 403, 408, 413 or 429.
            Disconnected: when the caller went away.
            LedgerError: when the keys cannot be read.
        """
        headers = scope["headers"]
        body = await received(scope, receive, self.most)
        path, query = scope["raw_path"], scope["query_string"]
        signed = await self.verified(Received(scope["method"], path, query, headers, body))
        await self._expect_pace(signed.credential)
        return Call(signed, scope["method"], body, scope["path_params"], decoded(query), _joined(headers))

    async def verified(self, request: Received) -> Signed:
        """Return who signed the request.

        A refusal is looked at again with the keys as they are now: a new key works at once, and neither a wrong
        signature nor an unknown key is told from the other by the time that its answer takes.
        """
        try:
            return self._known(self.verifier.verify(request))
        except Refused:
            await self.keyring.fresh()
        try:
            return self._known(self.verifier.verify(request))
        except Refused as error:
            raise refused(error) from None

    def _known(self, signed: Signed) -> Signed:
        self.keyring.used(signed.credential.id)
        return signed

    async def _expect_pace(self, credential: Credential) -> None:
        pace = self._paces.get(credential.id)
        if pace is None:
            pace = self._paces[credential.id] = AsyncLimiter(max(1.0, self.pace), max(1.0, self.pace) / self.pace)
        if not pace.has_capacity():
            again = math.ceil(1 / self.pace)
            raise ApiError(429, "rate", "This key makes too many requests; slow down.", retry_after=again)
        await pace.acquire()


def refused(error: Refused) -> ApiError:
    """Return a refusal as the caller gets it."""
    return ApiError(400 if error.code.startswith("request.") else 403, error.code, error.message)


async def received(scope: Scope, receive: Receive, most: int) -> bytes:
    """Return the whole body of a request.

    Raises:
        ApiError: 400 when it is compressed, 408 when it does not come, 413 when it is larger than `most` bytes.
        Disconnected: when the caller went away.
    """
    expect_bare(scope["headers"], most)
    if scope.get(WHOLE):  # most bodies come with the head, and a timeout costs as much as the signature's hash
        return await _whole(receive, most)
    try:
        async with asyncio.timeout(_PATIENCE):
            return await _whole(receive, most)
    except TimeoutError:
        raise ApiError(408, "body.timeout", f"The body did not come within {_PATIENCE} seconds.") from None


def expect_bare(headers: list[tuple[bytes, bytes]], most: int) -> None:
    """Expect a body that is not compressed, and says that it is no larger than `most` bytes if it says anything.

    Raises:
        ApiError: 400 or 413.
    """
    for name, value in headers:
        if name == b"content-length" and (len(value) > 18 or int(value) > most):
            raise too_large(most)
        if name in _BARE and value.strip().lower() != _BARE[name]:
            raise ApiError(400, "body.encoding", "Send the body as it is, without a content-encoding.")


async def _whole(receive: Receive, most: int) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        _expect_room(body, most)
        return body
    pieces = bytearray()
    while message["type"] == "http.request":
        pieces += message.get("body", b"")
        _expect_room(pieces, most)
        if not message.get("more_body"):
            return bytes(pieces)
        message = await receive()
    raise Disconnected


def _expect_room(body: bytes | bytearray, most: int) -> None:
    if len(body) > most:
        raise too_large(most)


def too_large(most: int) -> ApiError:
    """Return the refusal of a body that is larger than it may be."""
    return ApiError(413, "body.size", f"The body is larger than {most:,} bytes.")


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return headers by name; those that came several times as the list that they are (RFC 9110, 5.3)."""
    found = dict(headers)
    if len(found) < len(headers):
        found = {name: b", ".join(value for given, value in headers if given == name) for name in found}
    return found


def decoded(query: bytes) -> dict[str, str]:
    """Return a query that the verifier found in canonical form; of a name that stands twice, the last."""
    parts = (part.partition("=") for part in query.decode("ascii").split("&") if part)
    return {unquote(name): unquote(value) for name, _, value in parts}
