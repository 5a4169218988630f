"""Pouring: small drops into one file, and what is left when one of them is gone."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.destination import Answer, destination
from support.installation import counts, made, to
from support.served import served

from batch.dropzone import DropZoneError
from batch.errors import DropChanged
from batch.folder import FolderZone
from batch.outcome import Outcome
from batch.packets import Packet
from batch.pouring import pour
from batch.runtime import silent
from jobs import rerun

TEXTS = [b'{"a":1}\n', b'{"a":2}\n{"a":3}\n', b'{"a":4}\n']


@pytest.fixture
def zone(tmp_path: Path) -> FolderZone:
    (tmp_path / "drop").mkdir()
    return FolderZone(tmp_path / "drop")


def laid(zone: FolderZone) -> list[Packet]:
    packets = []
    for number, text in enumerate(TEXTS):
        file = f"abc/_records/2026-11-23/{number}.jsonl"
        zone.put(file, text)
        digest = hashlib.sha256(text).hexdigest()
        packets.append(Packet(str(number), "abc", file, len(text), digest, text.count(b"\n"), datetime.now(UTC)))
    return packets


def test_the_records_of_all_are_there_in_order(zone: FolderZone, tmp_path: Path) -> None:
    to = tmp_path / "drop.jsonl"
    assert pour(zone, laid(zone), to) == hashlib.sha256(b"".join(TEXTS)).hexdigest()
    assert to.read_bytes() == b"".join(TEXTS)
    assert to.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_nothing_is_left_when_one_is_not_as_it_was(zone: FolderZone, tmp_path: Path, number: int, harm: str) -> None:
    packets, to = laid(zone), tmp_path / "drop.jsonl"
    if harm == "gone":
        (tmp_path / "drop" / packets[number].file).unlink()
    else:
        zone.discard(packets[number].file)
        zone.put(packets[number].file, b'{"a":9}\n')
    with pytest.raises(DropChanged):
        pour(zone, packets, to)
    assert not to.exists()


def test_what_does_not_come_whole_and_is_there_has_not_changed(zone: FolderZone, tmp_path: Path) -> None:
    class Short(FolderZone):
        def read(self, key: str) -> bytes:
            return super().read(key)[:-1]

    packets, to = laid(zone), tmp_path / "drop.jsonl"
    with pytest.raises(DropZoneError, match="did not come whole"):
        pour(Short(tmp_path / "drop"), packets, to)
    assert not to.exists()


def test_nothing_is_left_when_the_drop_zone_cannot_be_used(zone: FolderZone, tmp_path: Path) -> None:
    packets, to = laid(zone), tmp_path / "drop.jsonl"
    (tmp_path / "drop").rename(tmp_path / "elsewhere")
    with pytest.raises(DropZoneError):
        pour(zone, packets, to)
    assert not to.exists()


def test_a_rerun_of_what_has_expired_sends_nothing_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with (
        destination(then=Answer(400)) as there,
        served(made(tmp_path / "home", hook=to(there.base)), delivers=True) as at,
    ):
        record = at.client("abc").post({"id": 1, "email": "a@example.com"}, headers={"Prefer": "wait=60"})
        assert record.json["integrations"]["hook"]["outcome"] == "rejected"
        (file,) = (tmp_path / "home" / "drop" / "abc" / "_records").rglob("*.jsonl")
        file.unlink()
        calls = len(there.calls)
        again = rerun.plan(at.runtime, record.json["batch"], outcomes=[Outcome.REJECTED])
        receipt = rerun.carry_out(at.runtime, again, lambda _batch: silent)
        assert (counts(receipt, "hook"), len(there.calls)) == ({"failed": 1}, calls)
        assert receipt["reason"].startswith("file.changed")
        assert at.client("abc").get(f"/v1/records/{record.record}").json["status"] == "partial"
