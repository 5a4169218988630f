"""All integrations of a batch at once: who gets what, in which requests, and what a kill leaves to do."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.destination import HANG, Answer, Destination, destination
from support.installation import KEY, NO_WAITS, Installation, counts, enabled, made, people, table, to

from batch import rowset
from batch.chunk import Chunk, ChunkState
from batch.dispatch import enrolled
from batch.outcome import Outcome
from batch.reading import Reader, Sizes
from integrations.catalog import CATALOG
from integrations.integration import Resend
from jobs.opening import owner

FILE = f"{KEY}/a.csv"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.retry._BACKOFF", NO_WAITS)


@pytest.fixture
def there() -> Iterator[Destination]:
    with destination() as there:
        yield there


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make webhooks destinations that know nothing of keys."""
    one = replace(CATALOG["webhook"], resend=Resend.BARE)
    monkeypatch.setattr("batch.planning.CATALOG", {**CATALOG, "webhook": one})


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have blocks of a few records, so that a small file has many, and is mapped in threads as a large one is."""
    small = Sizes(block=100)
    monkeypatch.setattr("batch.examination.Reader", lambda path, name, files, _sizes: Reader(path, name, files, small))
    monkeypatch.setattr("batch.dispatch._FEW", 0)


def sizes(there: Destination) -> list[int]:
    return sorted((len(call.records) for call in there.calls), reverse=True)


# --- requests


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(0, []), (1, [1]), (4, [4]), (5, [5]), (6, [5, 1]), (10, [5, 5]), (11, [5, 5, 1])],
)
def test_chunks_end_where_they_should(tmp_path: Path, there: Destination, rows: int, expected: list[int]) -> None:
    it = made(tmp_path, hook=to(there.base, settings={"batch_size": 5}))
    it.drop(FILE, people(rows))
    receipt = it.one()
    assert sizes(there) == expected
    assert sorted(there.rows()) == sorted(str(n) for n in range(1, rows + 1))
    assert receipt["integrations"]["hook"]["requests"] == len(expected)
    assert receipt["state"] == "delivered"


@pytest.mark.usefixtures("small_blocks")
def test_blocks_lose_nothing_at_their_seams(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base, where="mod(cast(id as int), 3) <> 0", settings={"batch_size": 2}))
    it.drop(FILE, people(100))
    receipt = it.one()
    assert counts(receipt, "hook") == {"delivered": 67, "filtered": 33}
    assert Counter(there.rows()) == Counter(str(n) for n in range(1, 101) if n % 3)


def test_a_body_is_never_larger_than_allowed(
    tmp_path: Path, there: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = CATALOG["webhook"]
    small = replace(webhook, limits=replace(webhook.limits, bytes=200))
    monkeypatch.setattr("batch.planning.CATALOG", {**CATALOG, "webhook": small})
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, table([[n, f"{'é' * (n % 40)}{n}@example.com"] for n in range(1, 60)] + [[60, "x" * 200 + "@b.se"]]))
    receipt = it.one()
    assert max(len(call.body) for call in there.calls) <= 200
    assert sorted(there.rows(), key=int) == [str(n) for n in range(1, 60) if n in delivered(it, receipt)]
    assert {"mapping.size"} <= {line["code"] for line in receipt["codes"]} or len(there.rows()) == 59


def delivered(it: Installation, receipt: dict[str, Any]) -> set[int]:
    return set(range(1, 61)) - {int(line["_row"]) for line in it.undelivered(receipt)}


def test_one_person_twice_is_sent_in_the_files_order(tmp_path: Path) -> None:
    rows = [[n, f"P{n % 3}@Example.com" if n % 2 else f"p{n % 3}@example.com"] for n in range(1, 10)]
    with destination(then=mailchimp_takes) as there:
        it = made(tmp_path, news=enabled("mailchimp", "", settings={"base_url": there.base, "in_flight": 8}))
        it.drop(FILE, table(rows))
        receipt = it.one()
    assert counts(receipt, "news") == {"delivered": 9}
    seen: dict[str, list[int]] = {}
    for call in there.calls:
        addresses = [record["email_address"].lower() for record in call.records]
        assert len(set(addresses)) == len(addresses)
        for record in call.records:
            seen.setdefault(record["email_address"].lower(), []).append(int(record["merge_fields"]["ID"]))
    assert all(ids == sorted(ids) for ids in seen.values())


def mailchimp_takes(call: Any) -> Answer:
    return Answer.json({"total_created": len(call.records), "total_updated": 0, "error_count": 0, "errors": []})


# --- lanes


@pytest.mark.parametrize("fault", [Answer(401), Answer(400), Answer(503), Answer(body=b"<html>"), HANG])
def test_one_integration_failing_leaves_the_others_alone(tmp_path: Path, there: Destination, fault: Answer) -> None:
    with destination(then=fault) as broken:
        it = made(
            tmp_path,
            good=to(there.base, settings={"batch_size": 10}),
            bad=to(broken.base, settings={"batch_size": 10, "timeout": 0.3}),
        )
        it.drop(FILE, people(40))
        receipt = it.one()
    assert counts(receipt, "good") == {"delivered": 40}
    assert sorted(there.rows(), key=int) == [str(n) for n in range(1, 41)]
    assert "delivered" not in counts(receipt, "bad")
    assert sum(counts(receipt, "bad").values()) == 40
    assert receipt["state"] == "partial"


def test_slow_and_fast_integrations_travel_side_by_side(tmp_path: Path, there: Destination) -> None:
    with destination(then=Answer(after=0.4)) as slow:
        it = made(tmp_path, fast=to(there.base), slow=to(slow.base))
        it.drop(FILE, people(3))
        it.one()
        assert there.calls[0].at < slow.calls[0].at + 0.3


def test_one_integration_stopping_fails_its_rows_of_later_blocks_too(
    tmp_path: Path, there: Destination, small_blocks: None
) -> None:
    there.script(then=Answer(403))
    it = made(tmp_path, hook=to(there.base, settings={"in_flight": 1, "batch_size": 2}))
    it.drop(FILE, people(50))
    receipt = it.one()
    assert counts(receipt, "hook") == {"failed": 50}
    assert len(there.calls) == 1


# --- what a kill leaves


def killed(it: Installation, *chunks: Chunk, rows: int = 10) -> str:
    """Leave a batch of the installation's one drop as a process leaves it that dies in mid-run."""
    with it.opened() as runtime:
        ledger, group = runtime.ledger, runtime.groups[KEY]
        (drop,) = it.zone.listing(KEY).drops
        batch = ledger.add(drop, KEY)
        assert batch is not None
        claim = ledger.claim(batch.id, owner(), 0.01)
        assert claim is not None
        ledger.save_config(group.fingerprint, group.document)
        ledger.describe(claim, config=group.fingerprint, rows_read=rows)
        check = Chunk("check", "", rowset.of(*range(1, rows + 1)), ChunkState.CLOSED)
        ledger.put(claim, [check, *chunks])
        return batch.id


def sent(*rows: int, key: str = "the-key", payload: str = "unknown", **more: Any) -> Chunk:
    return Chunk(
        f"sent {rows}", "hook", rowset.of(*rows), ChunkState.OPEN, key=key, payload=payload, requests=1, **more
    )


def payload_of(*rows: int) -> str:
    items = (json.dumps({"id": str(n), "email": f"p{n}@example.com"}, separators=(",", ":")) for n in rows)
    return hashlib.sha256(",".join(items).encode()).hexdigest()


@pytest.mark.parametrize("blocks", ["one", "many"])
def test_an_unanswered_request_goes_out_again_as_it_was(
    tmp_path: Path, there: Destination, blocks: str, request: pytest.FixtureRequest
) -> None:
    if blocks == "many":
        request.getfixturevalue("small_blocks")
    it = made(tmp_path, hook=to(there.base, settings={"batch_size": 4}))
    it.drop(FILE, people(10))
    killed(it, sent(2, 3, 5, 8, payload=payload_of(2, 3, 5, 8)))
    receipt = it.one()
    again = [call for call in there.calls if call.key == "the-key"]
    assert [record["id"] for call in again for record in call.records] == ["2", "3", "5", "8"]
    assert len(again) == 1
    assert sorted(there.rows(), key=int) == [str(n) for n in range(1, 11)]
    assert counts(receipt, "hook") == {"delivered": 10, "possible_duplicates": 4}


def test_an_unanswered_request_whose_mapping_has_changed_gets_a_new_key(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, people(10))
    killed(it, sent(2, 3, payload="of another mapping"))
    receipt = it.one()
    assert "the-key" not in {call.key for call in there.calls}
    assert counts(receipt, "hook") == {"delivered": 10, "possible_duplicates": 2}
    assert sorted(there.rows(), key=int) == [str(n) for n in range(1, 11)]


@pytest.mark.usefixtures("bare")
def test_a_bare_destination_is_not_sent_again_what_it_may_have(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, people(10))
    killed(it, sent(2, 3))
    receipt = it.one()
    assert counts(receipt, "hook") == {"delivered": 8, "unknown": 2}
    assert {"2", "3"}.isdisjoint(there.rows())
    assert [(line["code"], line["rows"]) for line in receipt["codes"]] == [("interrupted", 2)]
    assert [line["_outcome"] for line in it.undelivered(receipt)] == ["unknown", "unknown"]


def test_what_is_settled_is_not_sent_again(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, people(10))
    done = replace(sent(1, 2, 3), state=ChunkState.CLOSED, outcome=Outcome.DELIVERED)
    split = replace(sent(4, 5), state=ChunkState.SPLIT)
    killed(it, done, split)
    receipt = it.one()
    assert sorted(there.rows(), key=int) == [str(n) for n in range(4, 11)]
    assert counts(receipt, "hook") == {"delivered": 10}
    assert receipt["integrations"]["hook"]["requests"] == 3


def test_an_integration_that_the_kill_came_before_takes_part(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base), other=to(there.base))
    it.drop(FILE, people(10))
    killed(it, enrolled("hook"), enrolled("other"), sent(1))
    receipt = it.one()
    assert counts(receipt, "other") == {"delivered": 10}


def test_the_file_gone_after_a_kill_leaves_no_row_without_a_word(tmp_path: Path, there: Destination) -> None:
    """What may have been taken is unknown, never `failed`, which would say that it is safe to send again."""
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, people(10))
    killed(it, enrolled("hook"), sent(2, 3))
    it.drop(FILE, people(2, start=100))
    receipt = it.run().receipts[0]
    assert receipt["reason"].startswith("file.changed")
    assert receipt["state"] == "partial"
    assert counts(receipt, "hook") == {"failed": 8, "unknown": 2}
    assert sorted(there.rows(), key=int) == ["100", "101"]  # the new file, and nothing of the old one
