"""Endpoints: from a request to its reply, whatever happens in between, with a line in the access log."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from starlette.types import Receive, Scope, Send

from api import reply
from api.accesslog import AccessLog
from api.errors import ApiError, Disconnected
from api.gate import Call, Gate
from api.reply import Reply
from batch.dropzone import DropZoneError
from batch.errors import LedgerError

_AGAIN = 5  # seconds after which a caller may try again

log = structlog.get_logger()

Handle = Callable[[Call], Awaitable[Reply]]
Answer = Callable[[Scope, Receive], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """An ASGI application for one route: `answer` is what it does, by method."""

    route: str
    answers: Mapping[str, Answer]
    access: AccessLog

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began, method = time.perf_counter(), scope["method"]
        try:
            said = await _safely(self.answers.get(method, self._not_allowed), scope, receive)
        except Disconnected:
            return
        self.access.note(method, self.route, said.status, time.perf_counter() - began, **said.noted)
        await said.send(send)

    async def _not_allowed(self, _scope: Scope, _receive: Receive) -> Reply:
        """Answer a method that this route does not take, HEAD and OPTIONS too: there is nothing here to browse."""
        refused = reply.refusal(ApiError(405, "request.method", "This path does not take this method."))
        return refused._replace(headers=((b"allow", ", ".join(sorted(self.answers)).encode()),))


def signed(gate: Gate, handle: Handle) -> Answer:
    """Return what answers signed requests by `handle`."""

    async def answer(scope: Scope, receive: Receive) -> Reply:
        call = await gate.admit(scope, receive)
        try:
            said = await _explained(handle(call))
        except ApiError as error:
            said = reply.refusal(error)
        return said.noting(key=call.signed.credential.id)

    return answer


async def _safely(answer: Answer, scope: Scope, receive: Receive) -> Reply:
    try:
        return await _explained(answer(scope, receive))
    except ApiError as error:
        return reply.refusal(error)


async def _explained(work: Awaitable[Reply]) -> Reply:
    """Do the work; what goes wrong in this program or around it is told without its reasons.

    Raises:
        ApiError: 503 when the ledger or the drop zone cannot be used, 500 for a fault of the program.
    """
    try:
        return await work
    except (ApiError, Disconnected):
        raise
    except (LedgerError, DropZoneError, OSError) as error:
        log.warning("request.unavailable", reason=str(error))
        message = "Nothing can be taken or told just now; try again."
        raise ApiError(503, "unavailable", message, retry_after=_AGAIN) from None
    except Exception:
        log.exception("request.fault")
        message = "A fault of the program, which its operator sees in the log."
        raise ApiError(500, "fault", message) from None
