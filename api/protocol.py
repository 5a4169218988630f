"""The protocol: HTTP/1.1 as uvicorn speaks it, which would gather a request's head of any size, and for any time."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

WHOLE = "flatdrop.whole"
"""Stands in the scope of a request whose body is there when its turn comes."""

_MOST = 64 << 10  # bytes of a head, give or take what is read at a time
_PATIENCE = 30  # seconds in which the whole of it must come


class Bounded(HttpToolsProtocol):
    """Closes a connection whose next head does not end; between two requests it may be silent for longer."""

    _in_head = True
    _size = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Await the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Await no more."""
        self._calm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and refuse a head that goes on for too long."""
        was_in_head = self._in_head
        super().data_received(data)
        if not self._in_head:
            return
        if self._late is None:  # most heads come in one piece, and need no timer
            self._await_head()
        if was_in_head:
            self._size += len(data)
            if self._size > _MOST and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        """Await the rest of a head."""
        super().on_message_begin()
        self._in_head, self._size = True, 0
        self._calm()

    def on_headers_complete(self) -> None:
        """Go on with the whole head."""
        self._in_head = False
        self._calm()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the body is there."""
        super().on_message_complete()
        self.scope[WHOLE] = True  # type: ignore[literal-required]

    def _await_head(self) -> None:
        self._late = self.loop.call_later(_PATIENCE, self.transport.close)

    def _calm(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
