"""Health: whether the process is alive, and whether it can do its work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Receive, Scope

from api import reply
from api.reply import Reply
from batch.dropzone import DropZone, DropZoneError
from batch.errors import LedgerError
from batch.ledger import Ledger

_PATIENCE = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Health:
    """The endpoints that a load balancer asks; nothing of the configuration is told there."""

    ledger: Ledger
    zone: DropZone

    async def alive(self, _scope: Scope, _receive: Receive) -> Reply:
        """Say that the process answers."""
        return reply.of(200, {"status": "ok"})

    async def ready(self, _scope: Scope, _receive: Receive) -> Reply:
        """Say whether the ledger and the drop zone answer."""
        ledger, zone = await asyncio.gather(_answers(self.ledger.packets.waiting), _answers(self.zone.groups))
        said = {"ledger": "ok" if ledger else "down", "drop_zone": "ok" if zone else "down"}
        ready = ledger and zone
        return reply.of(200 if ready else 503, {"status": "ok" if ready else "unavailable", **said})


async def _answers(ask: Callable[[], object]) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            await asyncio.to_thread(ask)
    except (LedgerError, DropZoneError, TimeoutError):
        return False
    return True
