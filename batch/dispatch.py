"""Dispatch: all integrations of a batch at once, each in its own lane, so that one failing leaves the others alone."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import numpy as np
import polars as pl

from batch import http, rowset
from batch.account import Account
from batch.caller import Caller
from batch.chunk import Chunk, ChunkState
from batch.commits import Commits
from batch.delivery import Delivery
from batch.examination import Examined, among
from batch.former import Former, Wave, waves
from batch.http import Bounds
from batch.lane import Lane
from batch.outcome import Finding, Outcome, Rows
from batch.parcel import Parcel
from batch.planning import Planner, settled
from batch.preparing import Known, prepared
from batch.retry import Policy
from batch.runtime import Progress, silent
from batch.spool import Spool
from batch.turns import Turn
from integrations.errors import DeliveryError
from integrations.exchange import Connection
from integrations.integration import Resend
from mappers.expression import ROW

_A_MOMENT = 10.0
"""Seconds that the answer to a question beforehand may take."""

_FEW = 500
"""So many rows are mapped right away: a thread would wait longer for its turn than that takes."""

_Doing = Callable[..., Coroutine[Any, Any, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Errand:
    """What one integration is owed of a batch: how to plan and reach it, the rows, and what stands of them so far."""

    planner: Planner
    connection: Connection
    account: Account
    owed: Rows


@dataclass(frozen=True, slots=True)
class Manner:
    """How requests are sent: how stubbornly, what an answer may be, after whom, and what is known beforehand."""

    policy: Policy = field(default_factory=Policy)
    bounds: Bounds = field(default_factory=Bounds)
    turn: Turn = field(default_factory=Turn)
    known: Known = field(default_factory=Known)


async def dispatch(
    errands: Mapping[str, Errand],
    examined: Examined,
    *,
    spool: Spool,
    commits: Commits,
    manner: Manner,
    progress: Progress = silent,
) -> None:
    """Deliver to every integration what it is owed; each row of it ends in the ledger.

    Raises:
        LeaseLost: when another process has taken the batch over.
    """
    connections = sum(errand.planner.limits.in_flight for errand in errands.values())
    async with http.session(connections) as client, asyncio.TaskGroup() as group:
        for name, errand in errands.items():
            run = _Run(name, errand, spool=spool, commits=commits, client=client, manner=manner, progress=progress)
            group.create_task(run.all_in_turn(examined))


class _Run:
    """One integration's share of a dispatch."""

    def __init__(
        self,
        name: str,
        errand: Errand,
        *,
        spool: Spool,
        commits: Commits,
        client: aiohttp.ClientSession,
        manner: Manner,
        progress: Progress,
    ) -> None:
        planner = errand.planner
        lane = Lane(name, planner.integration, errand.connection, planner.limits)
        seconds = float(errand.connection.settings.get("timeout", manner.bounds.seconds))
        self._name, self._errand, self._planner, self._spool = name, errand, planner, spool
        self._commits, self._manner, self._progress = commits, manner, progress
        bounds = replace(manner.bounds, seconds=seconds)
        self._lane, self._client, self._bounds = lane, client, bounds
        self._delivery = Delivery(lane, Caller(lane, client, manner.policy, bounds), commits, manner.policy)
        self._former = Former([])

    async def all_in_turn(self, examined: Examined) -> None:
        async with self._manner.turn.at(self._name, self._manner.policy.stopping) as free:
            if free:
                await self._prepare()
                await self.all(examined)

    async def _prepare(self) -> None:
        """Ask, before the first record leaves, whether it will be taken, and what the mapped fields are called."""
        policy, bounds = self._manner.policy, self._bounds
        if self._planner.integration.names is None:  # what it says helps, and is not worth waiting for
            policy = replace(policy, tries=1, patience=0)
            bounds = replace(bounds, seconds=min(bounds.seconds, _A_MOMENT))
        caller = Caller(self._lane, self._client, policy, bounds)
        try:
            called = await prepared(self._planner, self._errand.connection, caller, self._manner.known)
        except DeliveryError as error:
            self._lane.stop(error.code, error.message)
        else:
            self._planner = replace(self._planner, called=called)

    async def all(self, examined: Examined) -> None:
        owed = await self._settle_doubts(self._errand.owed)
        owed = await self._settle_invalid(owed, examined)
        async with asyncio.TaskGroup() as group:
            before = group.create_task(asyncio.sleep(0))
            async for load in self._loads(owed, _here if examined.rows <= _FEW else asyncio.to_thread):
                if self._manner.policy.stopping.is_set():
                    return
                now = group.create_task(self._carry(load))
                # where the destination tells persons apart, a block waits for the one before: its rows are newer
                await (now if self._planner.identity else before)
                before = now

    async def _carry(self, load: _Load) -> None:
        if load.settled is not None:
            await self._commits.put(load.settled)
            self._progress(self._name, len(load.settled.rows))
        for wave in load.waves:
            await self._send(wave)

    async def _settle_doubts(self, owed: Rows) -> Rows:
        """Requests that may have left before a kill go out again as they were, or end `unknown`.

        An operator's word (a reopened chunk) allows to send again what could double.
        """
        doubtful = self._errand.account.in_doubt()
        bare = self._planner.integration.resend is Resend.BARE
        given_up = [chunk for chunk in doubtful if bare and chunk.state is ChunkState.OPEN]
        await self._commits.put(*(_interrupted(chunk) for chunk in given_up))
        self._former = Former([chunk for chunk in doubtful if chunk not in given_up])
        return rowset.minus(owed, rowset.union(chunk.rows for chunk in given_up))

    async def _settle_invalid(self, owed: Rows, examined: Examined) -> Rows:
        """Rows that were good once and are not by the configuration of this rerun."""
        lost = rowset.both(owed, examined.invalid)
        if (chunk := settled(self._name, rowset.EMPTY, among(examined.findings, lost))) is not None:
            await self._commits.put(chunk)
        return rowset.minus(owed, lost)

    async def _loads(self, owed: Rows, doing: _Doing) -> AsyncIterator[_Load]:
        """Yield a load a block; the next one is made while this one is sent."""
        loads = self._load_each(owed)
        following = asyncio.create_task(doing(next, loads, None))
        while (load := await following) is not None:
            following = asyncio.create_task(doing(next, loads, None))
            yield load

    def _load_each(self, owed: Rows) -> Iterator[_Load]:
        former = self._former
        for frame in self._frames(owed):
            plan = self._planner.plan(frame)
            fresh, again = former.take(plan.parcel)
            yield _Load(plan.settled, [*waves(again), *self._waves(fresh)])
        yield _Load(None, list(waves(former.rest())))

    def _frames(self, owed: Rows) -> Iterator[pl.DataFrame]:
        """Yield the records that are owed, block by block."""
        if not len(owed):
            return
        wanted = np.zeros(int(owed[-1]) + 1, dtype=bool)
        wanted[owed] = True
        for frame in self._spool.frames():
            rows = frame[ROW].to_numpy()
            here = wanted[np.minimum(rows, len(wanted) - 1)] & (rows < len(wanted))
            if here.all():
                yield frame
            elif here.any():
                yield frame.filter(here)

    def _waves(self, fresh: Parcel) -> Iterator[Wave]:
        wave: Wave = [(one.ready(), None) for one in self._planner.requests(fresh)]
        if wave:
            yield wave

    async def _send(self, wave: Wave) -> None:
        async with asyncio.TaskGroup() as group:
            for one, former in wave:
                group.create_task(self._send_one(one, former))

    async def _send_one(self, one: Parcel, former: Chunk | None) -> None:
        if not await self._delivery.send(one, former):
            return  # the program is stopping, and what is not sent stays owed
        self._progress(self._name, len(one.rows))


@dataclass(frozen=True, slots=True, eq=False)
class _Load:
    """One block, ready to be committed and sent: what is settled, and the waves to send one after the other."""

    settled: Chunk | None
    waves: list[Wave]


async def _here(do: Callable[..., Any], *what: Any) -> Any:
    return do(*what)


def _interrupted(chunk: Chunk) -> Chunk:
    message = "the program stopped after sending and before the answer, and sending again could double the record"
    finding = Finding(Outcome.UNKNOWN, "interrupted", None, message, chunk.rows)
    return replace(chunk, state=ChunkState.CLOSED, outcome=Outcome.UNKNOWN, findings=(finding,))


def enrolled(name: str) -> Chunk:
    """Return the empty chunk that says that an integration takes part in a batch, before anything was sent."""
    return Chunk(uuid.uuid4().hex, name, rowset.EMPTY, ChunkState.CLOSED, Outcome.FILTERED)
