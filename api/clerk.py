"""The clerk: records are taken in a process of their own, while this one hears and answers requests."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import signal
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import structlog

from batch import zones
from batch.careful import Failed, carefully
from batch.errors import LedgerError
from batch.ledger import Ledger
from batch.taking import Offer, Result, Taker
from config.deployment import Deployment
from config.group import Group

_PAUSE = 0.2  # seconds before another process begins, which may die as fast
_HEAD = 8  # bytes that tell how long what follows is

log = structlog.get_logger()

Results = Sequence[Result | Failed]


class Clerk:
    """Takes records; used as `async with Clerk(deployment, groups, prepare) as clerk:`, on one event loop.

    When its process dies, what it was asked and had not answered fails (it may be taken), and another one begins.
    """

    def __init__(self, deployment: Deployment, groups: Mapping[str, Group], prepare: Callable[[], None]) -> None:
        """Take records for these groups; `prepare` is what the process does first."""
        self._work = deployment, dict(groups), prepare
        self._asked: deque[tuple[asyncio.Future[Results], int]] = deque()
        self._out: asyncio.StreamWriter | None = None
        self._closing = False

    def take(self, offers: Sequence[Offer]) -> asyncio.Future[Results]:
        """Begin to take records; what is asked first is taken first."""
        answer: asyncio.Future[Results] = asyncio.get_running_loop().create_future()
        if self._out is None:
            answer.set_result(_gone(len(offers)))
        else:
            self._asked.append((answer, len(offers)))
            self._out.write(_framed(offers))
        return answer

    async def _begin(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = multiprocessing.get_context("spawn").Process(target=_take, args=(theirs, *self._work))
            self._process.start()
        answers, out = await asyncio.open_connection(sock=ours)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await answers.readexactly(_HEAD)  # an empty one: it is there
        self._out = out
        self._hearing = asyncio.create_task(self._hear(answers))

    async def _hear(self, answers: asyncio.StreamReader) -> None:
        """Pass answers on until there are no more."""
        try:
            while True:
                size = int.from_bytes(await answers.readexactly(_HEAD))
                results: Results = pickle.loads(await answers.readexactly(size))  # noqa: S301 - from our own process
                self._asked.popleft()[0].set_result(results)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Exception:
            log.exception("clerk.not_understood")
            self._process.kill()
        self._end()
        while self._asked:
            answer, count = self._asked.popleft()
            answer.set_result(_gone(count))
        if not self._closing:
            log.error("clerk.gone")
            await asyncio.sleep(_PAUSE)
            await self._begin()
        if self._closing:
            self._end()

    def _end(self) -> None:
        """Ask no more."""
        if self._out is not None:
            self._out.close()
            self._out = None

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._end()
        heard = None
        while heard is not self._hearing:  # perhaps another process begins just now
            heard = self._hearing
            await heard
        await asyncio.to_thread(self._process.join)


def _gone(count: int) -> Results:
    return [Failed(LedgerError("The process that takes records has ended."))] * count


def _framed(told: Any) -> bytes:
    body = pickle.dumps(told, pickle.HIGHEST_PROTOCOL)
    return len(body).to_bytes(_HEAD) + body


def _take(
    asked: socket.socket, deployment: Deployment, groups: Mapping[str, Group], prepare: Callable[[], None]
) -> None:
    """Take what is asked until nobody asks any more."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # who asks is told to stop, and has to be answered until then
    prepare()
    zone = zones.find(deployment.drop_zone, deployment.s3, deployment.base)
    try:
        with Ledger.open(deployment.ledger) as ledger, asked.makefile("rwb") as pipe, suppress(ConnectionError):
            taker = Taker(ledger.packets, zone, groups, deployment.limits)
            pipe.write(bytes(_HEAD))
            pipe.flush()
            while len(head := pipe.read(_HEAD)) == _HEAD:
                offers = pickle.loads(pipe.read(int.from_bytes(head)))  # noqa: S301 - from our own process
                pipe.write(_framed(carefully(taker.take, offers)))
                pipe.flush()
    except Exception:
        log.exception("clerk.fault")
