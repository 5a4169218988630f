"""Misbehaviour: what a fault looks like on the wire."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

_MIB = b" " * (1 << 20)
_DRIP_SECONDS = 0.05


async def misbehave(request: web.Request, fault: str) -> web.StreamResponse:
    """Answer a request as the fault says, if that can be called an answer."""
    match fault:
        case "html":
            return web.Response(text="<html><body>Please log in</body></html>", content_type="text/html")
        case "empty":
            return web.Response()
        case "huge":
            return await _stream(request, pieces=100, piece=_MIB, pause=0)
        case "drip":
            return await _stream(request, pieces=None, piece=b" ", pause=_DRIP_SECONDS)
        case "hang":
            await asyncio.Event().wait()
        case "reset":
            if request.transport:
                request.transport.abort()
            return web.Response()
    return _status(503 if fault == "down" else int(fault))


def _status(status: int) -> web.Response:
    headers = {"retry-after": "1"} if status == 429 else {"location": "/elsewhere"} if status < 400 else {}
    return web.json_response({"message": "This fault was asked for"}, status=status, headers=headers)


async def _stream(request: web.Request, pieces: int | None, piece: bytes, pause: float) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "application/json"})
    with suppress(ConnectionError):  # the other side need not listen to the end
        await response.prepare(request)
        while pieces is None or pieces > 0:
            await response.write(piece)
            await asyncio.sleep(pause)
            pieces = pieces and pieces - 1
    return response
