from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from support.made import a_batch, a_chunk, a_claim, a_finding, plain

from batch import ledger as ledger_module
from batch import rowset
from batch.batch import State
from batch.chunk import CHECK, Chunk, ChunkState
from batch.ledger import Ledger
from batch.outcome import Outcome

pytest_plugins = ("support.ledgers",)


def test_a_chunk_comes_back_as_it_was_put(ledger: Ledger) -> None:
    claim = a_claim(ledger)
    put = [
        Chunk("check", CHECK, rowset.of(*range(1, 5001)), ChunkState.CLOSED, None, (a_finding(1, 4999),)),
        Chunk(
            "c1",
            "crm",
            rowset.of(2, 3, 70_000),
            ChunkState.CLOSED,
            Outcome.DELIVERED,
            (a_finding(2, message="Nej, å\n"), a_finding(3, outcome=Outcome.UNKNOWN)),
            key="k",
            payload="p" * 64,
            requests=3,
            possible_duplicates=2,
        ),
        a_chunk("none"),
    ]
    ledger.put(claim, put)
    check, sent, none = ledger.chunks(claim.batch.id)
    assert plain(check) == plain(put[0])
    assert plain(sent) == plain(put[1])
    assert sent.rows.dtype == np.int64
    assert plain(none) == plain(put[2])


def test_a_known_chunk_is_updated_in_its_place(ledger: Ledger) -> None:
    claim = a_claim(ledger)
    ledger.put(claim, [a_chunk("b", 1), a_chunk("a", 2)])
    ledger.put(claim, [a_chunk("c", 3)])
    closed = a_chunk("b", 1, state=ChunkState.CLOSED, outcome=Outcome.FAILED, findings=(a_finding(1),), requests=5)
    ledger.put(claim, [a_chunk("d", 4), closed, closed])
    assert [plain(chunk) for chunk in ledger.chunks(claim.batch.id)] == [
        plain(chunk) for chunk in (closed, a_chunk("a", 2), a_chunk("c", 3), a_chunk("d", 4))
    ]


def test_chunks_are_read_by_batch_and_integration(ledger: Ledger) -> None:
    one, two = (a_claim(ledger, a_batch(ledger, version=version)) for version in "12")
    ledger.put(one, [a_chunk("same", 1, integration=CHECK), a_chunk("c", 1, integration="crm")])
    ledger.put(two, [a_chunk("same", 2, integration="crm")])
    assert [chunk.id for chunk in ledger.chunks(one.batch.id)] == ["same", "c"]
    assert [chunk.id for chunk in ledger.chunks(one.batch.id, CHECK)] == ["same"]
    assert [chunk.id for chunk in ledger.chunks(one.batch.id, "crm")] == ["c"]
    assert [chunk.rows.tolist() for chunk in ledger.chunks(two.batch.id)] == [[2]]
    assert list(ledger.chunks(two.batch.id, "another")) == []


def test_chunks_are_read_in_pages_while_others_write(ledger: Ledger) -> None:
    claim, count = a_claim(ledger), 2 * ledger_module._PAGE + 1
    ledger.put(claim, [a_chunk(str(number), number) for number in range(1, count + 1)])
    reading = ledger.chunks(claim.batch.id)
    seen = [next(reading).id]
    ledger.put(claim, [a_chunk("later", 1)])
    seen += [chunk.id for chunk in reading]
    assert seen == [*map(str, range(1, count + 1)), "later"]


def test_many_threads_commit_and_none_is_lost(ledger: Ledger) -> None:
    claims = [a_claim(ledger, a_batch(ledger, f"abc/{number}.csv")) for number in range(4)]

    def work(number: int) -> None:
        claim = claims[number % 4]
        ledger.put(claim, [a_chunk(f"{number}", number + 1)])
        ledger.renew(claim)
        ledger.put(claim, [a_chunk(f"{number}", number + 1, state=ChunkState.CLOSED)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(80)))
    for number, claim in enumerate(claims):
        chunks = list(ledger.chunks(claim.batch.id))
        assert {chunk.state for chunk in chunks} == {ChunkState.CLOSED}
        assert sorted(int(chunk.id) for chunk in chunks) == list(range(number, 80, 4))
        ledger.finish(claim, State.DELIVERED)
