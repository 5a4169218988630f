"""The floor: the least work from a CSV file to delivered requests, without check, ledger, retries or receipt.

python -m benchmarks.floor FILE URL. Blocks are read, mapped and encoded in a thread while earlier ones are sent.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import polars as pl

from benchmarks.data import MAPPING

_BLOCK = 8 << 20
_RECORDS = 500
_IN_FLIGHT = 8


def bodies(path: Path) -> Iterator[list[bytes]]:
    """Yield the request bodies of each block."""
    fields = [pl.sql_expr(sql).alias(name) for name, sql in MAPPING.items()]
    with path.open("rb") as file:
        header = file.readline().decode().strip().split(",")
        rest = b""
        while block := file.read(_BLOCK):
            whole, _, rest = (rest + block).rpartition(b"\n")
            frame = pl.read_csv(whole, has_header=False, new_columns=header, infer_schema=False)
            items = frame.select(pl.struct(fields).struct.json_encode().alias("item"))
            chunks = items.group_by(pl.int_range(pl.len()) // _RECORDS, maintain_order=True).agg(
                pl.col("item").str.join(",")
            )
            yield [f'{{"records":[{text}]}}'.encode() for text in chunks["item"]]


async def send(path: Path, url: str) -> None:
    """Send every record."""
    blocks = bodies(path)
    places = asyncio.Semaphore(_IN_FLIGHT)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_IN_FLIGHT)) as client:

        async def post(body: bytes) -> None:
            async with places, client.post(url, data=body) as answer:
                await answer.read()

        following = asyncio.create_task(asyncio.to_thread(next, blocks, None))
        while (block := await following) is not None:
            following = asyncio.create_task(asyncio.to_thread(next, blocks, None))
            await asyncio.gather(*map(post, block))


if __name__ == "__main__":
    asyncio.run(send(Path(sys.argv[1]), sys.argv[2]))
