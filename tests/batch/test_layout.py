from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from batch import layout
from batch.batch import Drop

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [
        "a.csv",
        "a.tsv",
        "a.jsonl",
        "a.ndjson",
        "a.csv.gz",
        "a.jsonl.zst",
        "a.tsv.bz2",
        "A.CSV",
        "a.Csv.GZ",
        "a.b.c.csv",
        "folder/a.csv",
        "folder/_a.csv",
        "folder/.hidden.csv",
        "folder//a.csv",
        "a b+c&d%20=e?.csv",
        "två\nrader.csv",
    ],
)
def test_drops(name: str) -> None:
    assert layout.is_drop(f"abc/{name}")


@pytest.mark.parametrize(
    "name",
    [
        "a.txt",
        "a",
        "csv",
        "acsv",
        "a.csv.tmp",
        "a.csv.part",
        "a.csv.zip",
        "a.gz",
        "a.csv.gz.gz",
        "a.csv\n",
        "a.csv/b",
        "folder/.csv",
        "a.xlsx",
    ],
)
def test_strays(name: str) -> None:
    assert not layout.is_drop(f"abc/{name}")
    assert not layout.is_reserved(f"abc/{name}")


@pytest.mark.parametrize(
    "name", ["_results/a.csv/receipt.json", "_a.csv", "_records/x/a.jsonl", ".a.csv", ".tmp/a.csv"]
)
def test_names_of_the_program_s_own(name: str) -> None:
    assert layout.is_reserved(f"abc/{name}")
    assert not layout.is_drop(f"abc/{name}")


@pytest.mark.parametrize(
    ("name", "can_be"), [("abc", True), ("å b", True), ("_x", False), (".git", False), ("", False)]
)
def test_groups(name: str, can_be: bool) -> None:
    assert layout.is_group(name) is can_be


def test_drops_go_by_age_and_then_by_key() -> None:
    found = [
        Drop("abc", f"abc/{name}", "v", 1, NOW + timedelta(seconds=age))
        for name, age in [("b.csv", 0), ("z.txt", 0), ("a.csv", 5), ("_x.csv", 0), ("a.tsv", 0), ("c", 9)]
    ]
    listing = layout.sort_out(found, ["abc/link.csv", "abc/_link"])
    assert [drop.key for drop in listing.drops] == ["abc/a.tsv", "abc/b.csv", "abc/a.csv"]
    assert listing.strays == ("abc/c", "abc/link.csv", "abc/z.txt")
