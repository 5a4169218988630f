"""The floor: the least work that sends the same bytes, without check, ledger, retries or receipt.

python -m benchmarks.floor FILE URL. Blocks are read, mapped and encoded in a thread while earlier ones are sent.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import polars as pl

from benchmarks.data import MAPPING

_BLOCK = 8 << 20
_RECORDS = 500
_IN_FLIGHT = 8

_TYPED = [
    pl.col("email").str.to_lowercase(),
    pl.col("amount").cast(pl.Float64),
    pl.col("tags").str.split("|"),
    pl.col("consent") == "true",
]


def items(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the JSON of each record, without what it has not."""
    fields = frame.with_columns(_TYPED).select(pl.sql_expr(sql).alias(name) for name, sql in MAPPING.items())
    members = []
    run: list[str] = []
    for name in [*fields.columns, None]:
        if name is not None and not fields[name].null_count():
            run.append(name)
            continue
        if run:
            members.append(_members(run))
        if name is not None:
            members.append(pl.when(pl.col(name).is_not_null()).then(_members([name])))
        run = []
    content = pl.concat_str(members, separator=",", ignore_nulls=True)
    return fields.select(pl.concat_str(pl.lit("{"), content, pl.lit("}")).alias("item"))


def _members(names: list[str]) -> pl.Expr:
    return pl.struct(names).struct.json_encode().str.strip_prefix("{").str.strip_suffix("}")


def bodies(path: Path) -> Iterator[list[bytes]]:
    """Yield the request bodies of each block."""
    with path.open("rb") as file:
        header = file.readline().decode().strip().split(",")
        rest = b""
        while block := file.read(_BLOCK):
            whole, _, rest = (rest + block).rpartition(b"\n")
            frame = pl.read_csv(whole, has_header=False, new_columns=header, infer_schema=False)
            each = items(frame)["item"]
            texts = (each[start : start + _RECORDS].str.join(",").item() for start in range(0, len(each), _RECORDS))
            yield [f'{{"records":[{text}]}}'.encode() for text in texts]


def _signed(body: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks, which are part of every request to a webhook."""
    key, now = uuid.uuid4().hex, str(int(time.time()))
    digest = hmac.digest(b"secret", f"{key}.{now}.".encode() + body, "sha256")
    return {
        "content-type": "application/json",
        "webhook-id": key,
        "webhook-timestamp": now,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


async def send(path: Path, url: str) -> None:
    """Send every record."""
    blocks = bodies(path)
    places = asyncio.Semaphore(_IN_FLIGHT)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_IN_FLIGHT)) as client:

        async def post(body: bytes) -> None:
            async with places, client.post(url, data=body, headers=_signed(body)) as answer:
                await answer.read()

        following = asyncio.create_task(asyncio.to_thread(next, blocks, None))
        while (block := await following) is not None:
            following = asyncio.create_task(asyncio.to_thread(next, blocks, None))
            await asyncio.gather(*map(post, block))


if __name__ == "__main__":
    asyncio.run(send(Path(sys.argv[1]), sys.argv[2]))
