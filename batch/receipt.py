"""The receipt: the account of a batch that the customer gets, counted over the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from batch import rowset
from batch.account import Account
from batch.batch import Batch, State
from batch.chunk import CHECK, Chunk
from batch.ledger import Ledger
from batch.outcome import SETTLED, Finding, Outcome, Rows


class ConservationError(Exception):
    """The sums of a batch do not agree: it is not closed, since a row would be unaccounted for."""


@dataclass(frozen=True, slots=True, eq=False)
class Books:
    """A batch with its accounts: the check's own and one an integration."""

    batch: Batch
    check: Account
    accounts: Mapping[str, Account]

    @classmethod
    def read(cls, ledger: Ledger, batch: Batch) -> Books:
        """Fold the ledger's chunks of a batch.

        The count of its rows is committed with its first chunks. Chunks of a batch that had none when it was read came
        after that, and are left out.
        """
        return cls.of(batch, ledger.chunks(batch.id) if batch.rows_read is not None else ())

    @classmethod
    def of(cls, batch: Batch, chunks: Iterable[Chunk]) -> Books:
        """Fold the chunks of a batch, in the ledger's order."""
        each: dict[str, list[Chunk]] = {CHECK: []}
        for chunk in chunks:
            each.setdefault(chunk.integration, []).append(chunk)
        accounts = {name: Account(batch.rows_read or 0, own) for name, own in each.items()}
        return cls(batch, accounts.pop(CHECK), accounts)

    @property
    def valid(self) -> Rows:
        """The rows that the group's own check let through."""
        return self.check.sound()

    def findings(self) -> Iterator[tuple[str | None, Finding]]:
        """Yield what stands against rows, the group's own check first, by integration."""
        for finding in self.check.findings():
            yield None, finding
        for name, account in self.accounts.items():
            for finding in account.findings():
                yield name, finding

    def owing(self) -> Rows:
        """Return the rows that somebody must act on."""
        return rowset.union(finding.rows for _, finding in self.findings())

    def owes(self) -> bool:
        """Whether rows have no outcome yet."""
        valid = self.valid
        return any(len(account.pending(valid)) for account in self.accounts.values())

    def state(self) -> State:
        """Return the state that the batch closes in.

        Raises:
            ConservationError: when a row is not accounted for.
        """
        self._expect_conserved()
        unsettled = [outcome for outcome in Outcome if outcome not in SETTLED]
        acts = any(len(account.rows(*unsettled)) for account in self.accounts.values())
        return State.PARTIAL if acts or len(self.check.rows(Outcome.INVALID)) else State.DELIVERED

    def _expect_conserved(self) -> None:
        read, valid = self.batch.rows_read or 0, self.valid
        invalid = len(self.check.rows(Outcome.INVALID))
        if read != len(valid) + invalid:
            raise ConservationError(f"{read} rows were read, but {len(valid)} are valid and {invalid} invalid")
        for name, account in self.accounts.items():
            counted = sum(account.counts(valid).values())
            if counted != len(valid):
                raise ConservationError(f"{len(valid)} rows are valid, but {name} accounts for {counted}")


def compose(books: Books) -> dict[str, Any]:
    """Return the receipt of a batch as it stands, in the shape that the contract gives it."""
    batch, valid = books.batch, books.valid
    return {
        "batch": batch.id,
        "group_key": batch.group_key,
        "file": batch.file,
        "version": batch.version,
        "sha256": batch.sha256,
        "bytes": batch.bytes,
        "state": batch.state.value,
        "reason": batch.reason,
        "config": batch.config,
        "received_at": iso(batch.received_at),
        "started_at": iso(batch.started_at),
        "finished_at": iso(batch.finished_at),
        "rows": {"read": batch.rows_read or 0, "valid": len(valid), "invalid": len(books.check.rows(Outcome.INVALID))},
        "integrations": {name: _integration(account, valid) for name, account in books.accounts.items()},
        "codes": codes(books.findings()),
    }


def summary(batch: Batch) -> dict[str, Any]:
    """Return a line of a list of batches."""
    return {
        "batch": batch.id,
        "group_key": batch.group_key,
        "file": batch.file,
        "state": batch.state.value,
        "rows": batch.rows_read,
        "invalid": batch.rows_invalid,
        "reason": batch.reason,
        "received_at": iso(batch.received_at),
        "finished_at": iso(batch.finished_at),
    }


def _integration(account: Account, valid: Rows) -> dict[str, int]:
    counts = {outcome.value: count for outcome, count in account.counts(valid).items()}
    return {**counts, "requests": account.requests, "possible_duplicates": account.possible_duplicates}


def codes(findings: Iterable[tuple[str | None, Finding]]) -> list[dict[str, Any]]:
    """Return what stands against rows, a line for each integration, code and column."""
    lines: dict[tuple[str | None, str, str | None], dict[str, Any]] = {}
    for integration, finding in findings:
        key = (integration, finding.code, finding.column)
        line = lines.setdefault(
            key,
            {
                "integration": integration,
                "code": finding.code,
                "column": finding.column,
                "rows": 0,
                "first_row": int(finding.rows[0]),
                "message": finding.message,
            },
        )
        line["rows"] += len(finding.rows)
        if int(finding.rows[0]) < line["first_row"]:
            line |= {"first_row": int(finding.rows[0]), "message": finding.message}
    return list(lines.values())


def iso(moment: datetime | None) -> str | None:
    """Return a moment as receipts tell it, in UTC with milliseconds."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
