"""Limits: every one is a setting, and what is larger is refused by name; the rest goes on."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from support.destination import Answer, destination
from support.installation import KEY, Installation, counts, made, table, to

from batch.errors import BatchError
from config.limits import USUAL, Limits
from jobs import rehearsal
from jobs.opening import opened

PEOPLE = table([[n, f"p{n}@example.com"] for n in range(4)])
LARGE = [f"{n},p{n}@example.com,{'x' * (200 if n == 2 else 20)}" for n in range(4)]


def limited(home: Path, base: str, **limits: int) -> Installation:
    home.mkdir(exist_ok=True)
    it = made(home, it=to(base))
    it.api["max_body"] = 1024
    it.write()
    whole = json.loads((it.home / "flatdrop.yaml").read_text())
    (it.home / "flatdrop.yaml").write_text(json.dumps({**whole, "limits": limits}))
    return it


def dropped(home: Path, name: str, content: bytes, **limits: int) -> dict[str, Any]:
    with destination() as there:
        it = limited(home, there.base, **limits)
        it.drop(f"{KEY}/{name}", content)
        receipt = it.one()
        assert [call.records for call in there.calls] == [] or receipt["state"] != "failed"
    return receipt


@pytest.mark.parametrize(
    ("name", "content", "limit", "code"),
    [
        ("a.csv", PEOPLE, {"file": 50}, "file.size"),
        ("a.jsonl", b'{"email":"a@example.com"}\n' * 10, {"file": 50}, "file.size"),
        ("a.csv.gz", gzip.compress(PEOPLE), {"expanded": 50}, "file.expanded"),
        ("a.csv", gzip.compress(b"id,email\n" + b"1,a@example.com\n" * 5_000_000), {"ratio": 10}, "file.expanded"),
        ("a.csv", table([["1", "x" * 5000]]), {"record": 2000}, "file.record.size"),
        ("a.jsonl", b'{"email":"a@example.com","id":"%b"}\n' % (b"x" * 5000), {"record": 2000}, "file.record.size"),
        ("a.csv", b"id,email,c,d\n1,a@example.com,,\n", {"attributes": 3}, "file.columns"),
    ],
    ids=["csv", "jsonl", "unpacked", "ratio", "record", "line", "columns"],
)
def test_a_file_beyond_a_limit_is_refused(
    tmp_path: Path, name: str, content: bytes, limit: dict[str, int], code: str
) -> None:
    receipt = dropped(tmp_path, name, content, **limit)
    assert (receipt["state"], receipt["reason"].partition(":")[0]) == ("failed", code)
    assert dropped(tmp_path / "again", name, content)["state"] == "delivered" if code != "file.record.size" else True


@pytest.mark.parametrize(
    ("name", "content", "limit", "code", "column"),
    [
        ("a.csv", "\n".join(["id,email,note", *LARGE, ""]), {"value": 100}, "row.value.size", "note"),
        (
            "a.jsonl",
            "".join(
                json.dumps({"email": f"p{n}@example.com", "tags": ["a", "x" * (200 if n == 2 else 20)]}) + "\n"
                for n in range(4)
            ),
            {"value": 100},
            "row.value.size",
            "tags",
        ),
        (
            "a.jsonl",
            "".join(
                json.dumps({"email": f"p{n}@example.com"} | {f"k{m}": m for m in range(9 if n == 2 else 5)}) + "\n"
                for n in range(4)
            ),
            {"attributes": 6},
            "row.attributes",
            None,
        ),
    ],
)
def test_a_row_beyond_a_limit_is_refused_and_the_others_are_delivered(
    tmp_path: Path, name: str, content: str, limit: dict[str, int], code: str, column: str | None
) -> None:
    receipt = dropped(tmp_path, name, content.encode(), **limit)
    assert receipt["rows"] == {"read": 4, "valid": 3, "invalid": 1}
    ((found, where, row),) = [(one["code"], one["column"], one["first_row"]) for one in receipt["codes"]]
    assert (found, where, row) == (code, column, 3)
    assert counts(receipt, "it") == {"delivered": 3}


def test_a_large_reply_is_not_read(tmp_path: Path) -> None:
    with destination(then=Answer(body=b" " * 2000 + b"{}")) as there:
        it = limited(tmp_path, there.base, reply=1024)
        it.drop(f"{KEY}/a.csv", PEOPLE)
        receipt = it.one()
        assert counts(receipt, "it") == {"unknown": 4}
        assert receipt["codes"][0]["message"] == "the answer is larger than 1,024 bytes"


def test_what_was_read_within_larger_limits_is_still_told_of(tmp_path: Path) -> None:
    """The undelivered file repeats a record that is larger than the usual limit, since it was let in."""
    large = table([[1, "nobody"], ["x" * (USUAL.record + 1), "also nobody"]])
    with destination() as there:
        it = limited(tmp_path, there.base, record=USUAL.record * 2, value=USUAL.record * 2)
        it.drop(f"{KEY}/a.csv", large)
        receipt = it.one()
    assert receipt["rows"]["invalid"] == 2
    (place,) = (it.home / "drop" / KEY / "_results").glob("*/undelivered.csv")
    assert place.stat().st_size > USUAL.record


@pytest.mark.parametrize("limits", [Limits(file=50), Limits(attributes=1)])
def test_a_check_and_a_preview_keep_to_the_limits(tmp_path: Path, limits: Limits) -> None:
    with destination() as there, opened(limited(tmp_path, there.base).home) as runtime:
        (tmp_path / "a.csv").write_bytes(PEOPLE)
        with pytest.raises(BatchError, match=r"file\.(size|columns)"):
            rehearsal.check(tmp_path / "a.csv", runtime.groups[KEY], None, limits)
        with pytest.raises(BatchError, match=r"file\.(size|columns)"):
            rehearsal.preview(tmp_path / "a.csv", runtime.groups[KEY], None, 1, limits)
