"""Preparing: what a destination was asked beforehand, and need not be asked again for a while."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field

import structlog

from batch.caller import Caller, Tally
from batch.planning import Planner
from integrations.errors import DeliveryError, Unauthorized
from integrations.exchange import Connection
from integrations.preparing import Names

_LASTS, _AGAIN = 600.0, 60.0
"""Seconds for which an answer is taken for granted, and after which one that could not be understood is asked for."""

_UNAUTHORIZED = 401

_NONE: Names = {}

log = structlog.get_logger()


@dataclass(slots=True)
class Known:
    """What destinations call fields, by whom and what was asked, with the time at which it is to be asked again."""

    answers: dict[str, tuple[float, Names]] = field(default_factory=dict)


async def prepared(planner: Planner, connection: Connection, caller: Caller, known: Known) -> Names:
    """Return what the destination calls the mapped fields, once it has said that they, and the settings, are right.

    Raises:
        DeliveryError: when it says that they are wrong, or does not say what has to be known.
    """
    ask = planner.integration.names or planner.integration.prepare
    if ask is None:
        return _NONE
    fields = [target.name for target in planner.mapping.targets]
    asked = _fingerprint(planner, connection, fields)
    until, names = known.answers.get(asked, (0.0, _NONE))
    if time.monotonic() < until:
        return names
    try:
        names = await caller.play(ask(connection, fields), Tally())
    except DeliveryError as error:
        if is_final(planner, error):
            raise
        log.info("not prepared", integration=planner.name, code=error.code)
        names, seconds = _NONE, _AGAIN
    else:
        seconds = _LASTS
    known.answers[asked] = time.monotonic() + seconds, names
    return names


def is_final(planner: Planner, error: DeliveryError) -> bool:
    """Say whether nothing may be sent after such an answer to what was asked beforehand.

    A plain no can be relied on; anything else may be a moment's trouble, or a question that nobody there expects.
    """
    needed = planner.integration.names is not None
    return needed or (isinstance(error, Unauthorized) and error.status in (None, _UNAUTHORIZED))


def _fingerprint(planner: Planner, connection: Connection, fields: list[str]) -> str:
    settings, credentials = sorted(connection.settings.items()), sorted(connection.credentials.items())
    about = json.dumps([planner.integration.name, settings, credentials, fields])
    return hashlib.sha256(about.encode()).hexdigest()  # a secret is not to lie about
