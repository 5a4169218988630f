"""The tour: a whole run on this machine, with made-up customers and stand-ins for the destinations."""

from __future__ import annotations

import csv
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from batch.results import folder
from config import starting
from config.errors import ConfigError, Problem
from integrations import sandbox
from jobs import run as runs
from jobs import screen
from jobs.opening import opened

_FIRST = ("Åsa", "Erik", "Maja", "Nils", "Linnéa", "Omar", "Zoë", "Björn", "Aino", "José")
_LAST = ("Lind", "Öberg", "Nyström", "Ek", "Haddad", "Virtanen", "O'Brien", "Sjö", "García", "Holm")
_CITIES = (("11122", "Stockholm"), ("41101", "Göteborg"), ("21119", "Malmö"), ("90325", "Umeå"), ("00100", "Helsinki"))
_COLUMNS = (
    "customer_id", "email", "first_name", "last_name", "phone", "postcode", "city", "birth_date", "amount", "consent",
    "tags", "source",
)  # fmt: skip
_KEY = "acme-se"
_FILE = "customers-tonight.csv"


def show(keep: Path | None, *, s3: bool, rows: int, json: bool = False) -> int:
    """Run the tour and return the exit code; `keep` is a folder to work in and to leave."""
    home = keep or Path(tempfile.mkdtemp(prefix="flatdrop-demo-"))
    try:
        with sandbox.running() as base, _bucket(s3=s3):
            starting.write(home, base)
            return _tour(home, rows, json=json)
    finally:
        if keep is None:
            shutil.rmtree(home, ignore_errors=True)


def make(to: Path, rows: int, seed: int = 1) -> None:
    """Write a CSV file of made-up customers; about one row in a hundred has a mistake that people make."""
    chance = random.Random(seed)  # noqa: S311 - made-up data
    with to.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(_customer(number, chance) for number in range(1, rows + 1))


def _customer(number: int, chance: random.Random) -> list[str]:
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    postcode, city = chance.choice(_CITIES)
    row = {
        "customer_id": f"{number:08}",
        "email": f"Customer.{number}@Example.com",
        "first_name": first,
        "last_name": last,
        "phone": f"070-{chance.randrange(10**7):07}",
        "postcode": postcode,
        "city": city,
        "birth_date": f"{chance.randint(1940, 2007)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
        "amount": f"{chance.randrange(10**6) / 100:.2f}",
        "consent": chance.choice(["true", "true", "true", "false", ""]),
        "tags": "|".join(chance.sample(["VIP", "NEWS", "SALE"], chance.randint(0, 3))),
        "source": chance.choice(["web", "store", "app"]),
    }
    mistake = chance.choice(list(_MISTAKES)) if number % 100 == 0 else ""
    return [_MISTAKES[mistake] if name == mistake else value for name, value in row.items()]


_MISTAKES = {
    "email": "not an address",
    "postcode": "111 22",
    "birth_date": "31/12/1999",
    "amount": "1 234,50",
    "source": "fax",
    "phone": "12",
}


def _tour(home: Path, rows: int, *, json: bool) -> int:
    drop = home / _FILE
    make(drop, rows)
    with opened(home) as runtime, screen.progress(quiet=json) as watch:
        if not json:
            screen.say(f"Dropped {rows:,} made-up customers as {_KEY}/{_FILE}; the destinations are stand-ins.\n")
        runtime.zone.write(f"{_KEY}/{_FILE}", drop)
        report = runs.run(runtime, [_KEY], watch=watch)
        for problem in report.problems:
            screen.warn(problem)
        receipt = next((one for one in report.receipts if one["file"].endswith(_FILE)), None)
        if receipt is None:
            return 1
        if json:
            screen.as_json(receipt)
        else:
            screen.receipt(receipt)
            _show_results(runtime.zone, receipt)
    return 1 if report.needs_operator else 0


def _show_results(zone: Any, receipt: dict[str, Any]) -> None:
    place = folder(_KEY, receipt["file"], receipt["batch"])
    lines = zone.read(f"{place}/undelivered.csv").decode().splitlines()
    if len(lines) > 1:
        screen.say(f"\nundelivered.csv has every row that somebody must act on, {len(lines) - 1:,} in all:")
        for line in lines[:4]:
            screen.say(f"  {line}")
    screen.say("\nNext: flatdrop init my-drop, and the quick start in README.md")


@contextmanager
def _bucket(*, s3: bool) -> Iterator[None]:
    """Have an S3 on this machine, with a bucket, while the context lasts, and point the configuration at it."""
    if not s3:
        with nullcontext():
            yield
        return
    try:
        from moto.server import ThreadedMotoServer  # noqa: PLC0415 - a guest of the tour only
    except ImportError:
        raise ConfigError([Problem("needs moto: pip install 'moto[s3,server]'", path="--s3")]) from None
    import boto3  # noqa: PLC0415

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    here = {
        "FLATDROP_DROP_ZONE": "s3://flatdrop-demo",
        "FLATDROP_S3__ENDPOINT_URL": f"http://{host}:{port}",
        "FLATDROP_S3__REGION": "eu-north-1",
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
    }
    former = {name: os.environ.get(name) for name in here}
    os.environ.update(here)
    try:
        client = boto3.client("s3", endpoint_url=here["FLATDROP_S3__ENDPOINT_URL"], region_name="eu-north-1")
        client.create_bucket(Bucket="flatdrop-demo", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
        yield
    finally:
        server.stop()
        for name, value in former.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
