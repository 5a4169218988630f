"""The protocol: HTTP/1.1 as uvicorn speaks it, which would gather a request's head of any size, and for any time."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST = 64 << 10  # bytes of a head, give or take what is read at a time
_PATIENCE = 30  # seconds in which the whole of it must come


class Bounded(HttpToolsProtocol):
    """Closes a connection whose next head does not end; between two requests it may be silent for longer."""

    _in_head = True
    _size = 0
    _late: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Await the first head."""
        super().connection_made(transport)
        self._late = self.loop.call_later(_PATIENCE, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Await no more."""
        self._late.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and refuse a head that goes on for too long."""
        was_in_head = self._in_head
        super().data_received(data)
        if was_in_head and self._in_head:
            self._size += len(data)
            if self._size > _MOST and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        """Await the rest of a head."""
        super().on_message_begin()
        self._in_head, self._size = True, 0
        self._late.cancel()
        self._late = self.loop.call_later(_PATIENCE, self.transport.close)

    def on_headers_complete(self) -> None:
        """Go on with the whole head."""
        self._in_head = False
        self._late.cancel()
        super().on_headers_complete()
