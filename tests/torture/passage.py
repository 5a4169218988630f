"""Files taken the whole way: what arrived, the receipt and the undelivered file are held against the oracle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.destination import Destination, destination
from support.installation import KEY, Installation, made, to
from support.oracle import Manner, Verdict, items, verdict
from support.rfc8259 import Value

from batch import results
from batch.runtime import Runtime
from jobs import run as runs
from torture.agreement import told
from torture.trial import End

REQUIRED = "id"
"""The attribute that every record must have; another one is text, and lists in it are put together."""

SEPARATOR = "|"
WHITE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""What Unicode calls white space; text of nothing else is blank, and is not sent."""


@dataclass
class Passage:
    """An installation with one group and one destination that takes everything."""

    there: Destination
    it: Installation
    runtime: Runtime
    columns: tuple[str, ...]

    def agrees(self, number: int, data: bytes, manner: Manner) -> End:
        """Take a file all the way, and count what is not as the oracle says."""
        key, seen, wanted = f"{KEY}/{number}-{manner.name}", len(self.there.calls), judged(data, manner)
        self.it.drop(key, data)
        report = runs.run(self.runtime, [KEY], file=key)
        if report.problems or len(report.receipts) != 1:
            return End(stuck=1)
        receipt, sent = report.receipts[0], [one for call in self.there.calls[seen:] for one in call.records]
        if wanted.refused:
            said = str(receipt["reason"]).partition(":")[0]
            return End(wrong=len(sent) + (receipt["state"] != "failed" or said not in wanted.refused))
        return End(
            wrong=_unlike(sent, [self._record(record) for record in wanted.good.values()])
            + (receipt["rows"] != _rows(wanted))
            + (str(receipt["reason"]).startswith("file.incomplete") != wanted.incomplete)
            + self._misreported(receipt, manner, wanted)
        )

    def _record(self, record: Mapping[str, Value]) -> dict[str, str]:
        texts = {name: SEPARATOR.join(items(record.get(name))) for name in self.columns}
        return {name: text for name, text in texts.items() if text.strip(WHITE)}

    def _misreported(self, receipt: dict[str, Any], manner: Manner, wanted: Verdict) -> int:
        folder = results.folder(KEY, receipt["file"], receipt["batch"])
        text = self.runtime.zone.read(f"{folder}/{results.undelivered_name(receipt['file'])}").decode("utf-8-sig")
        codes = told(text, manner, wanted)
        return sum(codes.get(row) not in wanted.bad.get(row, ()) for row in codes.keys() | wanted.bad.keys())


def judged(data: bytes, manner: Manner) -> Verdict:
    """Return the oracle's verdict, the group's one rule included."""
    wanted = verdict(data, manner)
    if wanted.header is not None and REQUIRED not in wanted.header:
        wanted.refused.add("file.header.missing")
    for row, record in list(wanted.good.items()):
        values = items(record.get(REQUIRED))
        if len(values) > 1:
            wanted.bad[row] = {"string.list"}
        elif not "".join(values).strip(WHITE):
            wanted.bad[row] = {"required"}
        if row in wanted.bad:
            del wanted.good[row]
    return wanted


def _rows(wanted: Verdict) -> dict[str, int]:
    return {"read": len(wanted.own), "valid": len(wanted.good), "invalid": len(wanted.bad)}


def _unlike(got: list[Any], want: list[Any]) -> int:
    return abs(len(got) - len(want)) + sum(one != other for one, other in zip(got, want, strict=False))


@contextmanager
def passage(home: Path, ledger_url: str, columns: tuple[str, ...], **files: str) -> Iterator[Passage]:
    """Make an installation that sends these columns as they are; `files` says how the group writes files."""
    home.mkdir(parents=True, exist_ok=True)
    with destination() as there:
        it = made(home)
        it.ledger = ledger_url
        mapping = {name: quoted(name) for name in columns}
        webhook = to(there.base, mapping=mapping, settings={"batch_size": 10_000, "in_flight": 1})
        it.group(attributes={REQUIRED: {"required": True}}, files=files, integrations={"it": webhook})
        with it.opened() as runtime:
            yield Passage(there, it, runtime, columns)


def quoted(name: str) -> str:
    """Return a name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'
