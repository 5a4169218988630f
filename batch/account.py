"""The account: where every row of a batch stands on one integration, folded from its chunks in the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from batch import rowset
from batch.chunk import Chunk, ChunkState
from batch.outcome import SETTLED, Finding, Outcome, Rows

_PENDING = 0
_SOUND = 255  # checked, and nothing stands against it
_OUTCOMES = tuple(Outcome)
_NUMBER = {outcome: number for number, outcome in enumerate(_OUTCOMES, start=1)}
_NOBODY = -1


class Account:
    """One outcome a row, the latest word counting; rows without one are pending, that is owed.

    The same fold serves the check (its chunk has `integration` "" and no outcome for rows that are valid), a first
    run, the resumption of a killed one, and a rerun.
    """

    def __init__(self, rows: int, chunks: Iterable[Chunk]) -> None:
        """Fold the chunks of one integration, in the ledger's order, over rows 1 to `rows`."""
        self._state = np.zeros(rows + 1, dtype=np.uint8)
        self._speaker = np.full(rows + 1, _NOBODY, dtype=np.int32)
        self._chunks = list(chunks)
        self.requests = sum(chunk.requests for chunk in self._chunks)
        self.possible_duplicates = sum(chunk.possible_duplicates for chunk in self._chunks)
        for number, chunk in enumerate(self._chunks):
            self._fold(number, chunk)

    def _fold(self, number: int, chunk: Chunk) -> None:
        if chunk.state is ChunkState.CLOSED:
            self._state[chunk.rows] = _NUMBER[chunk.outcome] if chunk.outcome else _SOUND
            for finding in chunk.findings:
                self._state[finding.rows] = _NUMBER[finding.outcome]
            self._speaker[chunk.rows] = number
        elif chunk.state in (ChunkState.REOPENED, ChunkState.OPEN):
            self._state[chunk.rows] = _PENDING
            self._speaker[chunk.rows] = number

    def rows(self, *outcomes: Outcome) -> Rows:
        """Return the rows that ended so."""
        return np.flatnonzero(np.isin(self._state, [_NUMBER[outcome] for outcome in outcomes])).astype(np.int64)

    def outcome(self, row: int) -> Outcome | None:
        """Return how a row ended; None when it has not, or is not there."""
        number = int(self._state[row]) if row < len(self._state) else _PENDING
        return _OUTCOMES[number - 1] if 0 < number <= len(_OUTCOMES) else None

    def sound(self) -> Rows:
        """Return the rows that the check let through."""
        return np.flatnonzero(self._state == _SOUND).astype(np.int64)

    def pending(self, among: Rows) -> Rows:
        """Return those of the given rows that have no outcome yet."""
        owed: Rows = among[self._state[among] == _PENDING]
        return owed

    def counts(self, among: Rows) -> dict[Outcome, int]:
        """Count the outcomes of the given rows."""
        numbers = np.bincount(self._state[among], minlength=_SOUND + 1)
        return {outcome: int(numbers[number]) for outcome, number in _NUMBER.items()}

    def findings(self) -> list[Finding]:
        """Return what stands against rows now; a word that a later chunk has overruled is left out."""
        every = (self._standing(number, finding) for number, chunk in self._closed() for finding in chunk.findings)
        return [finding for finding in every if len(finding.rows)]

    def in_doubt(self) -> list[Chunk]:
        """Return the chunks whose request may have left, or is to be sent again, and that nothing has answered.

        A chunk is among them only when no later one speaks for any of its rows.
        """
        return [
            chunk
            for number, chunk in enumerate(self._chunks)
            if chunk.state in (ChunkState.OPEN, ChunkState.REOPENED)
            and chunk.key is not None
            and bool(np.all(self._speaker[chunk.rows] == number))
        ]

    def speaking(self, rows: Rows) -> list[tuple[Chunk, Rows]]:
        """Return the chunks whose word stands for any of the given rows, each with those rows."""
        speakers = self._speaker[rows]
        return [(self._chunks[number], rows[speakers == number]) for number in np.unique(speakers) if number != _NOBODY]

    def _closed(self) -> list[tuple[int, Chunk]]:
        return [(n, chunk) for n, chunk in enumerate(self._chunks) if chunk.state is ChunkState.CLOSED]

    def _standing(self, number: int, finding: Finding) -> Finding:
        rows = finding.rows[self._speaker[finding.rows] == number]
        return replace(finding, rows=rows) if len(rows) else replace(finding, rows=rowset.EMPTY)


def struck_off(accounts: Mapping[str, Account], rows: Rows) -> Iterator[Chunk]:
    """Yield the chunks by which rows owe nothing any more; what was in doubt together with them stays so.

    Args:
        accounts: by integration.
        rows: valid ones.
    """
    for name, account in accounts.items():
        for chunk in account.in_doubt():
            rest = rowset.minus(chunk.rows, rows)
            if 0 < len(rest) < len(chunk.rows):
                new = uuid.uuid4().hex
                yield Chunk(new, name, rest, ChunkState.REOPENED, key=chunk.key, payload=chunk.payload)
        owing = rowset.minus(rows, account.rows(*SETTLED))
        if len(owing):
            yield Chunk(uuid.uuid4().hex, name, owing, ChunkState.CLOSED, Outcome.FILTERED)
