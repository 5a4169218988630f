"""Preparing: what a destination was asked beforehand, and need not be asked again for a while."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field

from batch.caller import Caller, Tally
from batch.planning import Planner
from integrations.exchange import Connection
from integrations.preparing import Names

_LASTS = 600.0
"""Seconds for which an answer is taken for granted."""

_NONE: Names = {}


@dataclass(slots=True)
class Known:
    """What destinations call fields, by whom and what was asked, with the time at which it is to be asked again."""

    answers: dict[str, tuple[float, Names]] = field(default_factory=dict)


async def prepared(planner: Planner, connection: Connection, caller: Caller, known: Known) -> Names:
    """Return what the destination calls the mapped fields, once it has said that they, and the settings, are right.

    Raises:
        DeliveryError: when it says otherwise, or nothing that can be understood.
    """
    ask = planner.integration.names or planner.integration.prepare
    if ask is None:
        return _NONE
    fields = [target.name for target in planner.mapping.targets]
    asked = _fingerprint(planner, connection, fields)
    until, names = known.answers.get(asked, (0.0, _NONE))
    if time.monotonic() < until:
        return names
    names = await caller.play(ask(connection, fields), Tally())
    known.answers[asked] = time.monotonic() + _LASTS, names
    return names


def _fingerprint(planner: Planner, connection: Connection, fields: list[str]) -> str:
    settings, credentials = sorted(connection.settings.items()), sorted(connection.credentials.items())
    about = json.dumps([planner.integration.name, settings, credentials, fields])
    return hashlib.sha256(about.encode()).hexdigest()  # a secret is not to lie about
