"""The examination: the whole file is read and checked first, and every record of it is accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.records import a_group, said

from batch import examination
from batch.checking import Checked
from batch.errors import BatchError
from batch.examination import Examined, among, examine
from batch.reading import Reader, Sizes
from batch.spool import Spool

ATTRIBUTES = {"id": {"type": "integer", "required": True, "unique": True}, "e": {"type": "email"}}


def examined(path: Path, text: bytes, name: str = "a.csv", **more: Any) -> tuple[Examined, list[dict[str, Any]]]:
    path.write_bytes(text)
    with Spool() as spool:
        found = examine(path, name, a_group(ATTRIBUTES), ["id", "e", "m"], spool, **more)
        return found, [row for frame in spool.frames() for row in frame.rows(named=True)]


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    return tmp_path / "drop"


def test_what_was_read_and_what_was_checked_come_together(drop: Path) -> None:
    told: list[tuple[str, int]] = []
    text = b"id,e,m\n1,a@b.se,x\n\n2\n3,no,\n01,,y\n4,,#N/A\n"
    found, kept = examined(drop, text, progress=lambda step, rows: told.append((step, rows)))
    assert (found.rows, found.blank_lines, found.incomplete) == (5, 1, False)
    assert said(found.findings) == {("row.fields", None): [2], ("email.format", "e"): [3], ("unique", "id"): [4]}
    assert found.invalid.tolist() == [2, 3, 4]
    assert [(row["_row"], row["id"], row["e"], row["m"]) for row in kept] == [
        (1, 1, "a@b.se", "x"), (4, 1, None, "y"), (5, 4, None, None)
    ]  # fmt: skip
    assert told == [("checked", 5)]


@pytest.mark.parametrize("size", [64, 300, 1 << 20])
def test_values_are_unique_across_blocks(drop: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(
        examination, "Reader", lambda path, name, files, _sizes: Reader(path, name, files, Sizes(block=size))
    )
    rows = [f"{number % 40},a{number}@b.se" for number in range(100)]
    found, kept = examined(drop, "\n".join(["id,e", *rows, ""]).encode())
    assert found.rows == len(kept) == 100
    assert said(found.findings) == {("unique", "id"): list(range(41, 101))}


@pytest.mark.parametrize("text", [b"e\n", b"e\na@b.se\n"])
def test_a_missing_column_refuses_the_file_however_few_rows_it_has(drop: Path, text: bytes) -> None:
    with pytest.raises(BatchError, match=r"file\.header\.missing"):
        examined(drop, text)


def test_a_header_alone_is_no_record(drop: Path) -> None:
    found, kept = examined(drop, b"id,e\n")
    assert (found.rows, kept, found.findings) == (0, [], ())


def test_json_lines_need_no_header(drop: Path) -> None:
    found, kept = examined(drop, b'{"e":"a@b.se"}\n{"id":7,"m":null}\n{"id":', "a.jsonl")
    assert found.rows == 3
    assert found.incomplete
    assert said(found.findings) == {("required", "id"): [1], ("row.json", None): [3]}
    assert [row["id"] for row in kept] == [7]


def test_a_record_that_gets_lost_on_the_way_stops_the_batch(drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = examination.Checker.check
    monkeypatch.setattr(
        examination.Checker, "check", lambda *given: Checked((one := whole(*given)).frame[1:], one.findings)
    )
    with pytest.raises(BatchError, match="2 records were counted, but 1 good and 0 bad") as error:
        examined(drop, b"id\n1\n2\n")
    assert error.value.code == "file.unreadable"


def test_findings_can_be_narrowed_to_rows(drop: Path) -> None:
    found, _ = examined(drop, b"id,e\n1,x\n2,y\nz,\n")
    assert said(among(found.findings, found.invalid[1:])) == {("email.format", "e"): [2], ("integer.format", "id"): [3]}
    assert among(found.findings, found.invalid[:0]) == []
