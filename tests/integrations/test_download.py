"""Files that destinations offer: the same entries whatever form they have."""

from __future__ import annotations

import gzip
import json

import pytest

from integrations.download import entries

ENTRIES = [{"email": "a@example.com", "error": "Bad, very"}, {"email": "b@example.com", "error": "Å"}]
JSON = json.dumps(ENTRIES)
LINES = "\n".join(json.dumps(it) for it in ENTRIES) + "\n"
CSV = 'email,error\r\na@example.com,"Bad, very"\r\nb@example.com,Å\r\n'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(JSON.encode(), id="json"),
        pytest.param(json.dumps({"count": 2, "errors": ENTRIES}).encode(), id="wrapped"),
        pytest.param(LINES.encode(), id="json lines"),
        pytest.param(gzip.compress(JSON.encode()), id="packed json"),
        pytest.param(gzip.compress(LINES.encode()), id="packed lines"),
    ],
)
def test_json(body: bytes) -> None:
    assert entries(body) == ENTRIES


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(CSV.encode(), id="csv"),
        pytest.param(CSV.encode("utf-8-sig"), id="with a mark"),
        pytest.param(CSV.replace(",", ";").replace("Bad;", "Bad,").encode(), id="semicolons"),
        pytest.param(gzip.compress(CSV.encode()), id="packed"),
    ],
)
def test_csv_comes_with_its_first_line_for_it_may_hold_no_names(body: bytes) -> None:
    assert entries(body) == [{"email": "email", "error": "error"}, *ENTRIES]


def test_one_object_is_one_entry_even_if_it_holds_lists() -> None:
    one = {"email": "a@example.com", "reasons": ["too long", "too short"]}
    assert entries(json.dumps(one).encode()) == [one]


def test_an_empty_file_has_no_entries() -> None:
    assert entries(b"") == []
    assert entries(b"\r\n") == []


@pytest.mark.parametrize("body", [b"\xff\xfe", b"\x1f\x8bnot gzip at all"])
def test_what_is_not_text_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"decode|gzip"):
        entries(body)
