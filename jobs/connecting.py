"""Connecting: harmless calls that prove credentials, settings and mapped fields before the night does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from batch import http
from batch.caller import Caller, Tally
from batch.http import Bounds
from batch.lane import Lane
from batch.planning import Planner, planner
from batch.retry import Policy
from config.connecting import connection
from config.deployment import Deployment
from config.errors import ConfigError
from config.group import Group
from integrations.errors import DeliveryError
from integrations.exchange import Connection
from integrations.preparing import Names
from integrations.steps import Call, Steps


@dataclass(slots=True)
class Tried:
    """What became of trying one integration: `ok` is None where nothing harmless can be asked.

    `proved` are the sentences that turned out true; `code` and `message` say what is wrong.
    """

    integration: str
    type: str
    ok: bool | None = None
    proved: list[str] = field(default_factory=list)
    code: str | None = None
    message: str | None = None


def tried(deployment: Deployment, group: Group, names: list[str]) -> list[Tried]:
    """Try integrations of a group; nothing is written anywhere."""
    return [_tried(deployment, group, name) for name in names]


def _tried(deployment: Deployment, group: Group, name: str) -> Tried:
    found = Tried(name, group.integrations[name].type)
    try:
        plan, reach = planner(group, name), connection(deployment, group, name)
        with _told(found):
            asyncio.run(_ask(deployment, plan, reach, found))
    except ConfigError as error:
        found.ok, found.code, found.message = False, "config", "; ".join(str(one) for one in error.problems)
    return found


@contextmanager
def _told(found: Tried) -> Iterator[None]:
    try:
        yield
    except DeliveryError as error:
        doubt = f"not proved: {found.proved.pop()}; " if found.ok else ""
        found.ok, found.code, found.message = False, error.code, f"{doubt}{error.message}"


async def _ask(deployment: Deployment, plan: Planner, reach: Connection, found: Tried) -> None:
    ask = plan.integration.names or plan.integration.prepare
    if ask is None:
        found.message = "Nothing harmless can be asked of it: the first request is the first delivery."
        return
    lane = Lane(plan.name, plan.integration, reach, plan.limits)
    policy, bounds = Policy(tries=2, patience=10), Bounds(deployment.delivery.timeout, deployment.limits.reply)
    seconds = float(reach.settings.get("timeout", bounds.seconds))
    async with http.session(1) as client:
        caller = Caller(lane, client, policy, replace(bounds, seconds=seconds))
        steps = ask(reach, [target.name for target in plan.mapping.targets])
        await caller.play(_noted(steps, found), Tally())
    found.ok = True


def _noted(steps: Steps[Names], found: Tried) -> Steps[Names]:
    """Carry out steps, and note what a yes to each proves."""
    step = next(steps)
    while True:
        if isinstance(step, Call) and step.proves:
            found.ok, found.proved = True, [*found.proved, step.proves]
        reply = yield step
        found.ok = None
        try:
            step = steps.send(reply)
        except StopIteration as end:
            names: Names = end.value
            return names
