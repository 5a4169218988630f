"""The application: every path of the API, put together in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import Any, Protocol

from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from api import reply
from api.accesslog import AccessLog
from api.batches import Batches
from api.endpoint import Answer, Endpoint, Handle, signed
from api.errors import ApiError
from api.gate import Gate
from api.health import Health
from api.intake import Intake, Results
from api.keyring import Keyring
from api.openapi import document
from api.records import Records
from api.settling import Settling
from api.signature import Verifier
from api.uploads import Uploads
from batch.dropzone import DropZone
from batch.ledger import Ledger
from batch.taking import Offer
from config.deployment import Api
from config.group import Group


class Takes(Protocol):
    """What takes records while its block lasts."""

    def take(self, offers: Sequence[Offer], /) -> Awaitable[Results]:
        """Begin to take records; what is asked first is taken first."""

    async def __aenter__(self) -> object: ...
    async def __aexit__(self, kind: Any, error: Any, trace: Any, /) -> object: ...


@dataclass(frozen=True, slots=True, eq=False)
class Installation:
    """What the API works on, and whom it tells: `taken` after each commit of records, `write` with the access log.

    Once `stopping` is set nobody waits for outcomes any more: this process brings none about.
    """

    settings: Api
    groups: Mapping[str, Group]
    ledger: Ledger
    zone: DropZone
    keyring: Keyring
    taker: Takes
    taken: Callable[[], object]
    write: Callable[[str], object]
    stopping: Event = field(default_factory=Event)


def application(of: Installation) -> Router:
    """Return the API as an ASGI application; it takes records while its lifespan lasts."""
    settings = of.settings
    verifier = Verifier(settings.region, settings.service, of.keyring.find, settings.clock_skew)
    gate = Gate(of.keyring, verifier, settings.max_body, settings.requests_per_second)
    access = AccessLog(of.write)
    intake = Intake(of.taker.take, settings.window, of.taken)
    window = timedelta(seconds=settings.clock_skew)
    records = Records(of.groups, of.ledger, intake, Settling(of.ledger.packets, of.stopping), window)
    batches, uploads = Batches(of.ledger), Uploads(of.zone, verifier, of.keyring, settings)
    health = Health(of.ledger, of.zone)

    def route(path: str, answers: Mapping[str, Answer]) -> Route:
        return Route(path, Endpoint(path, answers, access))

    def by_signed(**handles: Handle) -> Mapping[str, Answer]:
        return {method: signed(gate, handle) for method, handle in handles.items()}

    @asynccontextmanager
    async def lifespan(_app: Router) -> AsyncIterator[None]:
        async with of.taker, intake:
            yield
        access.flush()

    return Router(
        [
            route("/v1/records", by_signed(POST=records.post)),
            route("/v1/records/{record_id}", by_signed(GET=records.get)),
            route("/v1/batches", by_signed(GET=batches.list)),
            route("/v1/batches/{batch}", by_signed(GET=batches.get)),
            route("/v1/uploads", {**by_signed(POST=uploads.post), "PUT": uploads.put}),
            route("/v1/openapi.json", {"GET": document.answer}),
            route("/healthz", {"GET": health.alive}),
            route("/readyz", {"GET": health.ready}),
        ],
        redirect_slashes=False,  # a signature is good for one path, and for no other
        default=_Nowhere(access),
        lifespan=lifespan,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Nowhere:
    """What answers at every other path."""

    access: AccessLog

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        said = reply.refusal(ApiError(404, "path", "There is nothing at this path; see /v1/openapi.json."))
        self.access.note(scope["method"], "*", said.status, 0.0, **said.noted)
        await said.send(send)
