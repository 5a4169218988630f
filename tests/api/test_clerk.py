"""The clerk: what it is asked is taken in another process, in order, and its death is told."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs
from support.installation import KEY, Installation, made, to

from api.clerk import Clerk
from batch.answers import timed
from batch.careful import Failed
from batch.taking import Invalid, Offer, Reused

LATER = int(time.time()) + 3600


def prepare() -> None:
    """Nothing has to be done first."""


def an_offer(number: int, line: bytes | None = None) -> Offer:
    line = line or json.dumps({"customer_id": str(number), "email": f"{number}@example.com"}).encode()
    return Offer(KEY, line, {timed(LATER, b"%d" % number): LATER}, line[:16])


def with_a_clerk(it: Installation, work: Callable[[Clerk], Coroutine[Any, Any, None]]) -> None:
    async def all_of_it() -> None:
        with it.opened() as runtime:
            async with Clerk(runtime.deployment, runtime.groups, prepare) as clerk:
                await work(clerk)

    asyncio.run(asyncio.wait_for(all_of_it(), 60))


def records(it: Installation) -> list[str]:
    """The customers of all records that were taken, in order."""
    with it.opened() as runtime:
        batch = runtime.ledger.packets.gather(KEY)
        assert batch is not None
        lines = b"".join(runtime.zone.read(packet.file) for packet in runtime.ledger.packets.of(batch.id)).splitlines()
    return [json.loads(line)["customer_id"] for line in lines]


def test_what_is_asked_first_is_taken_first(tmp_path: Path) -> None:
    it = made(tmp_path, hook=to("http://127.0.0.1:9"))

    async def work(clerk: Clerk) -> None:
        asked = [clerk.take([an_offer(number) for number in range(turn, turn + 5)]) for turn in range(0, 50, 5)]
        told = [record for results in await asyncio.gather(*asked) for record in results]
        assert all(isinstance(record, str) for record in told)
        first, *bad = await clerk.take([an_offer(0), an_offer(50, b'{"email":"no"}'), an_offer(51, b"[")])
        assert first == told[0]
        assert [[one.code for one in record.findings] for record in bad if isinstance(record, Invalid)] == [
            ["email.format"],
            ["row.json"],
        ]
        (reused,) = await clerk.take([an_offer(1, b'{"customer_id":"x"}')])
        assert isinstance(reused, Reused)

    with_a_clerk(it, work)
    assert records(it) == [str(number) for number in range(50)]


def test_when_its_process_dies_those_who_asked_are_told_and_the_next_one_goes_on(tmp_path: Path) -> None:
    it = made(tmp_path, hook=to("http://127.0.0.1:9"))

    async def work(clerk: Clerk) -> None:
        assert all(isinstance(one, str) for one in await clerk.take([an_offer(1)]))
        os.kill(int(clerk._process.pid or 0), signal.SIGSTOP)
        asked = clerk.take([an_offer(2), an_offer(3)])
        clerk._process.kill()
        assert [type(one) for one in await asked] == [Failed, Failed]
        for _ in range(200):
            again = await clerk.take([an_offer(2), an_offer(1)])
            if all(isinstance(one, str) for one in again):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(again)

    with capture_logs() as lines:
        with_a_clerk(it, work)
    assert [line["event"] for line in lines] == ["clerk.gone"]
    assert records(it) == ["1", "2"]


def test_it_goes_on_until_nobody_asks_any_more_whatever_signals_come(tmp_path: Path) -> None:
    it = made(tmp_path, hook=to("http://127.0.0.1:9"))

    async def work(clerk: Clerk) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(int(clerk._process.pid or 0), number)
        assert all(isinstance(one, str) for one in await clerk.take([an_offer(1)]))

    with_a_clerk(it, work)
    assert records(it) == ["1"]


def test_the_block_is_left_even_when_another_process_begins_just_then(tmp_path: Path) -> None:
    it = made(tmp_path, hook=to("http://127.0.0.1:9"))

    async def work(clerk: Clerk) -> None:
        clerk._process.kill()
        await asyncio.sleep(0.4)

    with capture_logs() as lines:
        with_a_clerk(it, work)
    assert [line["event"] for line in lines] == ["clerk.gone"]
