"""The application: every path of the API, put together in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import reply
from api.accesslog import AccessLog
from api.batches import Batches
from api.endpoint import Answer, Endpoint, Handle, signed
from api.errors import ApiError
from api.gate import Gate
from api.health import Health
from api.intake import Intake
from api.keyring import Keyring
from api.records import Records
from api.settling import Settling
from api.signature import Verifier
from api.uploads import Uploads
from batch.dropzone import DropZone
from batch.ledger import Ledger
from batch.taking import Taker
from config.deployment import Api
from config.group import Group


@dataclass(frozen=True, slots=True, eq=False)
class Installation:
    """What the API works on, and whom it tells: `taken` after each commit of records, `write` with the access log."""

    settings: Api
    groups: Mapping[str, Group]
    ledger: Ledger
    zone: DropZone
    keyring: Keyring
    taken: Callable[[], object]
    write: Callable[[str], object]


def application(of: Installation) -> Starlette:
    """Return the API as an ASGI application; it takes records while its lifespan lasts."""
    settings = of.settings
    verifier = Verifier(settings.region, settings.service, of.keyring.find, settings.clock_skew)
    gate = Gate(of.keyring, verifier, settings.max_body, settings.requests_per_second)
    access = AccessLog(of.write)
    intake = Intake(Taker(of.ledger.packets, of.zone, of.groups).take, settings.window, of.taken)
    window = timedelta(seconds=settings.clock_skew)
    records = Records(of.groups, of.ledger, intake, Settling(of.ledger.packets), window)
    batches, uploads = Batches(of.ledger), Uploads(of.zone, verifier, of.keyring, settings)
    health = Health(of.ledger, of.zone)

    def route(path: str, answers: Mapping[str, Answer]) -> Route:
        return Route(path, Endpoint(path, answers, access))

    def by_signed(**handles: Handle) -> Mapping[str, Answer]:
        return {method: signed(gate, handle) for method, handle in handles.items()}

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with intake:
            yield
        access.flush()

    return Starlette(
        routes=[
            route("/v1/records", by_signed(POST=records.post)),
            route("/v1/records/{record_id}", by_signed(GET=records.get)),
            route("/v1/batches", by_signed(GET=batches.list)),
            route("/v1/batches/{batch}", by_signed(GET=batches.get)),
            route("/v1/uploads", {**by_signed(POST=uploads.post), "PUT": uploads.put}),
            route("/healthz", {"GET": health.alive}),
            route("/readyz", {"GET": health.ready}),
        ],
        exception_handlers={HTTPException: _no_such_path},
        lifespan=lifespan,
    )


async def _no_such_path(_request: Request, _error: Exception) -> Response:
    said = reply.refusal(ApiError(404, "request.path", "There is nothing at this path; see /v1/openapi.json."))
    return Response(said.body, said.status, media_type="application/json")
