"""A whole installation for tests: configuration files, a drop zone, a ledger, credentials that the sandbox takes."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import tenacity
from support.zones import Bucket, Folder, Zone, s3_server

from batch import results
from batch.runtime import Runtime
from integrations.catalog import CATALOG
from integrations.sandbox import settings_for
from jobs import run as runs
from jobs.opening import opened

KEY = "abc"
SECRET_KEY = "bWFkZS11cC1rZXktb2YtMzItYnl0ZXMtZm9yLXRlc3Q="
_TIMES = itertools.count(1_700_000_000)  # long ago, so that a listing need not wait for the files to be still

MAPPINGS: Mapping[str, Mapping[str, str]] = {
    "mailchimp": {"email_address": "email", "merge_fields.ID": "id"},
    "hubspot": {"email": "email", "customer": "id"},
    "webhook": {"id": "id", "email": "email"},
}

NO_WAITS = tenacity.wait_none()
"""To take the place of the backoff between tries, where a test does not look at the time."""


def enabled(kind: str, base: str, **more: Any) -> dict[str, Any]:
    """Return an integration of a group's file; `base` is the sandbox's address."""
    credentials = {name: f"file:secrets/{kind}.{name}" for name in CATALOG[kind].sample.credentials}
    settings = {**settings_for(kind, base), **more.pop("settings", {})}
    return {"type": kind, "credentials": credentials, "settings": settings, "mapping": MAPPINGS[kind], **more}


def to(url: str, **more: Any) -> dict[str, Any]:
    """Return a webhook integration of a group's file that posts to `url`, as fast as it can."""
    settings = {"url": url, "requests_per_second": 10_000, **more.pop("settings", {})}
    return enabled("webhook", "http://127.0.0.1:9", settings=settings, **more)


def table(rows: Iterable[Sequence[object]], header: Sequence[str] = ("id", "email")) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()


def people(count: int, start: int = 1) -> bytes:
    """Return a CSV file of people with the columns id and email, without a mistake."""
    return table([n, f"p{n}@example.com"] for n in range(start, start + count))


@dataclass
class Installation:
    """What a test has in its hands."""

    home: Path
    zone: Zone
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    delivery: dict[str, Any] = field(default_factory=lambda: {"tries": 2, "patience": 5, "timeout": 5})
    ledger: str = "sqlite:///ledger.db"
    schedule: dict[str, str] = field(default_factory=dict)
    api: dict[str, Any] = field(default_factory=lambda: {"port": 0, "secret_key": "file:secrets/flatdrop.key"})

    def group(self, key: str = KEY, **of: Any) -> None:
        """Write a group's file: `integrations=...`, `attributes=...`."""
        document = {"group_key": key, "attributes": {"email": {"type": "email", "required": True}}, **of}
        self.groups[key] = document
        self.write()

    def write(self) -> None:
        """Write the configuration."""
        zone: dict[str, Any] = {"drop_zone": str(self.home / "drop")}
        if isinstance(self.zone, Bucket):
            zone = {
                "drop_zone": f"s3://{self.zone._bucket}/{self.zone._prefix}",
                "s3": {"endpoint_url": s3_server(), "region": "eu-north-1"},
            }
        whole = {**zone, "ledger": self.ledger, "delivery": self.delivery, "schedule": self.schedule, "api": self.api}
        (self.home / "groups").mkdir(exist_ok=True)
        (self.home / "flatdrop.yaml").write_text(json.dumps(whole))
        for key, document in self.groups.items():
            (self.home / "groups" / f"{key}.yaml").write_text(json.dumps(document))
        (self.home / "secrets").mkdir(exist_ok=True)
        (self.home / "secrets" / "flatdrop.key").write_text(SECRET_KEY)
        for kind, integration in CATALOG.items():
            for name, secret in integration.sample.credentials.items():
                (self.home / "secrets" / f"{kind}.{name}").write_text(secret)

    def drop(self, key: str, content: bytes) -> None:
        """Put a file, as a customer does."""
        self.zone.lay(key, content)
        self.touch(key)

    def touch(self, key: str) -> None:
        """Give a file in a folder a time of its own."""
        if isinstance(self.zone, Folder):
            at = next(_TIMES)
            os.utime(self.zone._root / key, (at, at))

    @contextmanager
    def opened(self) -> Iterator[Runtime]:
        """Open the installation as a process would; the drop zone is the test's own."""
        with opened(self.home) as runtime:
            yield replace(runtime, zone=self.zone)

    def run(self, *keys: str, file: str | None = None) -> runs.Report:
        """Process what waits."""
        with self.opened() as runtime:
            return runs.run(runtime, keys or list(runtime.groups), file=file)

    def one(self) -> dict[str, Any]:
        """Process what waits, which is one file, and return its receipt."""
        report = self.run()
        assert not report.problems, report.problems
        (receipt,) = report.receipts
        return receipt

    def undelivered(self, receipt: Mapping[str, Any]) -> list[dict[str, str]]:
        """Return the lines of a batch's undelivered file."""
        name = results.undelivered_name(receipt["file"])
        place = results.folder(receipt["group_key"], receipt["file"], receipt["batch"])
        text = self.zone.read(f"{place}/{name}").decode()
        if name.endswith("jsonl"):
            return [json.loads(line) for line in text.splitlines()]
        return list(csv.DictReader(io.StringIO(text)))

    def flatdrop(self, *words: str, lease: float | None = None, **how: Any) -> subprocess.Popen[str]:
        """Start the command line in a process of its own; with `lease`, a dead process is found out sooner."""
        code = "import jobs.run, sys; from jobs.cli import main\n"
        code += f"jobs.run.LEASE = {lease}\n" if lease else ""
        command = [sys.executable, "-c", f"{code}main()", *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": self.home}
        return subprocess.Popen(command, **{**pipes, **how})


def made(home: Path, zone: Zone | None = None, **integrations: Any) -> Installation:
    """Return an installation with one group; without a zone, its drops lie in a folder."""
    found = Installation(home, zone or Folder(home / "drop"))
    found.group(integrations=integrations)
    return found


def counts(receipt: Mapping[str, Any], name: str) -> dict[str, int]:
    """Return what is not zero of an integration's part in a receipt, but for its requests."""
    return {word: n for word, n in receipt["integrations"][name].items() if n and word != "requests"}


def journal(base: str, kind: str) -> list[dict[str, Any]]:
    """Return what the sandbox took for one integration."""
    with urlopen(f"{base}/_journal?integration={kind}", timeout=10) as answer:
        return [json.loads(line)["record"] for line in answer.read().splitlines()]


def identities(base: str, kind: str) -> list[int]:
    """Return the `id` of every record that the sandbox took for one integration."""
    places = {
        "mailchimp": lambda it: it["merge_fields"]["ID"],
        "hubspot": lambda it: it["properties"]["customer"],
        "webhook": lambda it: it["id"],
    }
    return [int(places[kind](record)) for record in journal(base, kind)]
