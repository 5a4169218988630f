from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.made import a_batch, a_claim

from batch.batch import State
from batch.claim import Claim
from batch.errors import LedgerError
from batch.lease import holding
from batch.ledger import Ledger

SHORT = 0.3


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield ledger


def test_a_held_claim_outlives_its_lease(ledger: Ledger) -> None:
    claim = a_claim(ledger, seconds=SHORT)
    with holding(ledger, claim, 3 * SHORT) as hold:
        time.sleep(2 * SHORT)
        assert ledger.claim(claim.batch.id, "you") is None
        assert not hold.lost.is_set()
    progress = ledger.in_progress(claim.batch.id)
    assert progress is not None
    assert progress[1].timestamp() > time.monotonic()


def test_nothing_is_renewed_after_the_block(ledger: Ledger) -> None:
    claim = a_claim(ledger)
    with holding(ledger, claim, SHORT):
        pass
    before = ledger.in_progress(claim.batch.id)
    time.sleep(SHORT)
    assert ledger.in_progress(claim.batch.id) == before


def test_a_claim_that_was_taken_over_is_lost(ledger: Ledger) -> None:
    stale = a_claim(ledger, seconds=0)
    a_claim(ledger, stale.batch, "you")
    with holding(ledger, stale, SHORT) as hold:
        assert hold.lost.wait(10)


def test_a_batch_may_be_finished_while_it_is_held(ledger: Ledger) -> None:
    claim = a_claim(ledger)
    with holding(ledger, claim, SHORT):
        assert ledger.finish(claim, State.DELIVERED).state is State.DELIVERED


class Away(Ledger):
    """A ledger that cannot be reached for so many renewals."""

    away = 0
    asked = 0

    def renew(self, claim: Claim, seconds: float = 30) -> None:
        self.asked += 1
        if self.asked <= self.away:
            raise LedgerError("away")
        super().renew(claim, seconds)


@pytest.mark.parametrize(("away", "lost"), [(1, False), (1_000_000, True)])
def test_a_ledger_that_is_away_loses_the_claim_when_its_lease_is_over(tmp_path: Path, away: int, lost: bool) -> None:
    with Away.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        ledger.away = away
        with holding(ledger, a_claim(ledger, a_batch(ledger)), SHORT) as hold:
            assert hold.lost.wait(4 * SHORT) is lost
        assert ledger.asked >= 3
