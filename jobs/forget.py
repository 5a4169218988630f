"""Forgetting a person: what this program keeps of them is erased, and a rerun cannot bring them back.

The drops themselves are the customer's, and so is what destinations have.
"""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from batch import erasing, results, rowset
from batch.account import struck_off
from batch.batch import CLOSED, Batch, State
from batch.chunk import Chunk
from batch.forgotten import Forgotten, forms
from batch.layout import is_records
from batch.outcome import Finding, Outcome, Rows
from batch.packets import Packet
from batch.reading import delimiter
from batch.receipt import Books, compose
from batch.runtime import Runtime
from batch.spool import Spool
from config.group import Group
from mappers.attribute import Attribute
from mappers.nearest import nearest

_AT_ONCE = 8  # on S3 it is the waiting that takes time
_ERASED = "[erased]"


class ForgetError(Exception):
    """The person cannot be looked for as asked; the text says why."""


@dataclass(slots=True)
class Erased:
    """What was erased: lines of undelivered files, records that the API took, and words in the ledger.

    `open` are batches that are not closed, and may still hold the person.
    """

    undelivered: int = 0
    records: int = 0
    messages: int = 0
    open: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Search:
    """Whom to look for: by hashes, and in sentences by what they are known by itself."""

    forgotten: Forgotten
    words: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class _Drop:
    """A small drop of records in which some are blanked out: what it is to be, and the rows of its batch."""

    packet: Packet
    content: bytes
    rows: list[int]


def forget(runtime: Runtime, group_key: str, attribute: str, value: str) -> Erased:
    """Erase a person from what the program keeps of a group, and remember by a hash that they are forgotten.

    It may be called again and again: what an earlier call did not come to is done then.

    Args:
        runtime: the installation.
        group_key: the group.
        attribute: the attribute that tells the person apart, like an address.
        value: its value, as a file may hold it.

    Raises:
        ForgetError: when the attribute cannot tell a person apart, or the value is blank.
        DropZoneError, LedgerError: when these cannot be used.
    """
    ledger, group = runtime.ledger, runtime.groups[group_key]
    texts = _texts(group, attribute, value)
    words = re.compile("|".join(map(re.escape, sorted(texts, key=len, reverse=True))), re.IGNORECASE)
    search = _Search(ledger.erasures.add(group, attribute, texts), words)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="forget") as threads:
        each = list(threads.map(lambda batch: _from_batch(runtime, batch, search), ledger.batches(group_key)))
    whole = Erased(
        *(sum(counts) for counts in zip(*((one.undelivered, one.records, one.messages) for one in each), strict=True))
    )
    whole.open = [batch for one in each for batch in one.open]
    if group_key in ledger.packets.waiting():
        whole.open.append("records that wait for their batch")
    ledger.erasures.purge()
    return whole


def _texts(group: Group, attribute: str, value: str) -> set[str]:
    declared = group.attributes.get(attribute, Attribute())
    if attribute not in group.attributes and group.closed:
        hint = nearest(attribute, group.attributes) or f"there are {', '.join(group.attributes)}"
        raise ForgetError(f"the group has no attribute {attribute} ({hint})")
    if declared.type == "list":
        raise ForgetError(
            f"{attribute} is a list, which tells nobody apart; name an attribute like an address or an id"
        )
    if not value.strip():
        raise ForgetError(f"write --match {attribute}=VALUE with the value that tells the person apart")
    return forms(value, declared)


def _from_batch(runtime: Runtime, batch: Batch, search: _Search) -> Erased:
    """Erase the person from one batch: from the ledger first, so that an interrupted call is made good by another."""
    if batch.state not in CLOSED:
        return Erased(open=[batch.id])
    books = Books.read(runtime.ledger, batch)
    chunks = list(runtime.ledger.chunks(batch.id))
    drops, sha256 = _blanked(runtime, batch, search.forgotten)
    with Spool() as spool:
        kept, gone = _undelivered(runtime, batch, spool, search.forgotten)
        rows = np.array(sorted({*gone, *(row for drop in drops for row in drop.rows)}), dtype=np.int64)
        worded = [scrubbed for chunk in chunks if (scrubbed := _scrubbed(chunk, rows, search.words)) is not None]
        news = [*worded, *struck_off(books.accounts, rowset.both(rows, books.valid))]
        after = _amended(batch, [*chunks, *news], search.words, sha256)
        if news or drops or after.batch != batch:
            packets = {drop.packet.id: hashlib.sha256(drop.content).hexdigest() for drop in drops}
            if not runtime.ledger.amend(after.batch, news, packets):
                return Erased(open=[batch.id])
        for drop in drops:
            spool.file("drop.jsonl").write_bytes(drop.content)
            runtime.zone.write(drop.packet.file, spool.file("drop.jsonl"))
        if gone:
            runtime.zone.write(_undelivered_key(batch), kept)
        _write_receipt(runtime, spool, after)
    return Erased(len(gone), sum(len(drop.rows) for drop in drops), _words(chunks, worded))


def _blanked(runtime: Runtime, batch: Batch, forgotten: Forgotten) -> tuple[list[_Drop], str | None]:
    """Return the batch's small drops that hold the person, and the SHA-256 that all of them together then have."""
    if not is_records(batch.file):
        return [], batch.sha256
    drops, digest = [], hashlib.sha256()
    for packet in runtime.ledger.packets.of(batch.id):
        content, numbers = erasing.blanked(runtime.zone.read(packet.file), forgotten)
        digest.update(content)
        if numbers:
            first = packet.first_row or 1
            drops.append(_Drop(packet, content, [first + number - 1 for number in numbers]))
    return drops, digest.hexdigest() if drops else batch.sha256


def _undelivered_key(batch: Batch) -> str:
    place = results.folder(batch.group_key, batch.file, batch.id)
    return f"{place}/{results.undelivered_name(batch.file)}"


def _undelivered(runtime: Runtime, batch: Batch, spool: Spool, forgotten: Forgotten) -> tuple[Path, list[int]]:
    """Return the undelivered file without the person's rows, and their numbers."""
    name = results.undelivered_name(batch.file)
    here, kept = spool.file(name), spool.file(f"kept-{name}")
    there = runtime.zone.stat(_undelivered_key(batch))
    if there is None:
        return kept, []
    runtime.zone.fetch(there, here)
    return kept, erasing.without(here, kept, delimiter(batch.file, _group(runtime, batch).files), forgotten)


def _group(runtime: Runtime, batch: Batch) -> Group:
    document = runtime.ledger.config(batch.config) if batch.config else None
    return Group.from_document(document) if document else runtime.groups[batch.group_key]


def _scrubbed(chunk: Chunk, rows: Rows, words: re.Pattern[str]) -> Chunk | None:
    """Return the chunk with no word on the person left in its findings; None when there was none."""
    findings = tuple(_silenced(finding, rows, words) for finding in chunk.findings)
    return replace(chunk, findings=findings) if findings != chunk.findings else None


def _words(before: list[Chunk], after: list[Chunk]) -> int:
    """Count the findings that say something else now."""
    former = {id(finding) for chunk in before for finding in chunk.findings}
    return sum(id(finding) not in former for chunk in after for finding in chunk.findings)


def _silenced(finding: Finding, rows: Rows, words: re.Pattern[str]) -> Finding:
    """A destination may say anything of a record; what it says of several is of none in particular."""
    about = finding.outcome is not Outcome.INVALID and len(rowset.minus(finding.rows, rows)) == 0
    message = _ERASED if about else words.sub(_ERASED, finding.message)
    return finding if message == finding.message else replace(finding, message=message)


def _amended(batch: Batch, chunks: list[Chunk], words: re.Pattern[str], sha256: str | None) -> Books:
    """Return the books of a batch as these chunks make them; of two with one id, the later counts."""
    reason = batch.reason and words.sub(_ERASED, batch.reason)
    latest = {chunk.id: chunk for chunk in chunks}
    books = Books.of(replace(batch, reason=reason, sha256=sha256), latest.values())
    if batch.state is State.FAILED:
        return books
    state = State.PARTIAL if reason else books.state()
    return replace(books, batch=replace(books.batch, state=state))


def _write_receipt(runtime: Runtime, spool: Spool, books: Books) -> None:
    there = results.receipt_of(runtime.zone, books.batch)
    if there is not None and there != compose(books):
        results.write_receipt(runtime.zone, spool, books)
