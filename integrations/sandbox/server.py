"""The sandbox's server: an address for each integration of the catalog, and a few to look at what came."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from integrations.catalog import CATALOG
from integrations.sandbox.faults import Faults
from integrations.sandbox.journal import Journal
from integrations.sandbox.misbehaviour import misbehave
from integrations.sandbox.standin import Call, StandIn

Credentials = Mapping[str, Mapping[str, str]]

SAMPLES: Credentials = {name: integration.sample.credentials for name, integration in CATALOG.items()}
"""The credentials of the catalog's samples."""

_BODY_LIMIT = 64 << 20


def settings_for(name: str, base: str) -> dict[str, Any]:
    """Return the settings that point an integration at the sandbox at `base`, at a pace that suits it."""
    integration = CATALOG[name]
    address = integration.url[1 : integration.url.index("}")]  # the setting that the URL begins with
    here = {address: f"{base.rstrip('/')}/{name}", "requests_per_second": 1000}
    quick = {"poll_seconds": 0.05} if integration.job else {}
    return {**integration.sample.settings, **here, **quick}


def app(
    journal: Path | None = None, faults: Faults | None = None, credentials: Credentials = SAMPLES
) -> web.Application:
    """Return the sandbox as an application.

    Args:
        journal: the file to append to what is taken; a temporary one if None.
        faults: what goes wrong, and when.
        credentials: the credentials that each integration takes; one that is not named takes any.
    """
    sandbox = _Sandbox(Journal(journal), faults or Faults(), credentials)
    application = web.Application(client_max_size=_BODY_LIMIT)
    application.router.add_get("/_journal", sandbox.journalled)
    application.router.add_get("/_requests", sandbox.counted)
    application.router.add_get("/_contacts", sandbox.known)
    application.router.add_put("/_faults", sandbox.replan)
    application.router.add_route("*", r"/{name}{path:.*}", sandbox.deliver)
    application.on_cleanup.append(sandbox.close)
    return application


def serve(
    port: int,
    *,
    journal: Path | None = None,
    faults: Faults | None = None,
    credentials: Credentials = SAMPLES,
    host: str = "127.0.0.1",
    started: Callable[[], None] = lambda: None,
) -> None:
    """Run the sandbox until the process is told to stop; `started` is called when it listens.

    Raises:
        OSError: when the port is taken.
    """
    application = app(journal, faults, credentials)
    web.run_app(
        application,
        host=host,
        port=port,
        print=lambda *_: started(),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=1,
    )


@contextmanager
def running(
    journal: Path | None = None, faults: Faults | None = None, credentials: Credentials = SAMPLES, port: int = 0
) -> Iterator[str]:
    """Run the sandbox in a thread of its own while the context lasts, and give its address.

    Raises:
        OSError: when the port is taken.
    """
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(
        app(journal, faults, credentials), access_log=None, handler_cancellation=True, shutdown_timeout=0.1
    )
    try:
        loop.run_until_complete(runner.setup())
        loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", port).start())
        thread = threading.Thread(target=loop.run_forever, name="sandbox", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
    finally:
        loop.run_until_complete(runner.cleanup())
        loop.close()


class _Sandbox:
    def __init__(self, journal: Journal, faults: Faults, credentials: Credentials) -> None:
        self._journal = journal
        self._faults = faults
        self._stand_ins = {name: StandIn(it, credentials.get(name), journal) for name, it in CATALOG.items()}
        self._counts = Counter(dict.fromkeys(CATALOG, 0))

    async def deliver(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in self._stand_ins:
            raise web.HTTPNotFound(text=f"the sandbox plays {', '.join(self._stand_ins)}")
        asks = request.method == "GET"
        self._counts[name] += not asks
        body = await request.read()
        fault = self._faults.standing(name) if asks else self._faults.next(name)
        if fault and fault not in ("hang", "reset"):
            return await misbehave(request, fault)
        headers = {header.lower(): value for header, value in request.headers.items()}
        path = request.rel_url.raw_path.removeprefix(f"/{name}")
        base = f"{request.url.origin()}/{name}"
        call = Call(request.method, path, headers, body, dict(request.query), base)
        reply = self._stand_ins[name].answer(call)
        if fault and reply.status < 300:
            return await misbehave(request, fault)
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)

    async def journalled(self, request: web.Request) -> web.Response:
        lines = b"".join(self._journal.lines(request.query.get("integration")))
        return web.Response(body=lines, content_type="application/x-ndjson")

    async def known(self, request: web.Request) -> web.Response:
        name = request.query.get("integration", "")
        if name not in self._stand_ins:
            raise web.HTTPBadRequest(text=f"say whose: ?integration= one of {', '.join(self._stand_ins)}")
        return web.json_response(self._stand_ins[name].desk.contacts)

    async def counted(self, _request: web.Request) -> web.Response:
        return web.json_response(self._counts)

    async def replan(self, request: web.Request) -> web.Response:
        try:
            self._faults.replace(await request.text())
        except ValueError as wrong:
            raise web.HTTPBadRequest(text=str(wrong)) from None
        return web.Response(status=204)

    async def close(self, _application: web.Application) -> None:
        self._journal.close()
