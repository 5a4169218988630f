"""Vetting: a record that came by itself gets the verdict of the same line in a file, whoever came with it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.records import a_group

from batch.examination import examine
from batch.outcome import Finding, Outcome
from batch.spool import Spool
from batch.vetting import Vetter
from config.group import Group
from config.limits import Limits

ATTRIBUTES: dict[str, Any] = {
    "email": {"type": "email", "required": True},
    "id": {"unique": True, "max_length": 3},
    "kind": {"one_of": ["web", "store"]},
    "count": {"type": "integer", "min": 0},
    "tags": {"type": "list", "max_length": 2},
}
OPEN = a_group(ATTRIBUTES, mapping={"email": "email"})
CLOSED = a_group(ATTRIBUTES, mapping={"email": "email"}, unknown_attributes="reject", files={"clear": "-"})

Said = dict[int, list[tuple[str, str | None, str]]]


def said(found: Mapping[int, Sequence[Finding]]) -> Said:
    return {
        place: sorted((one.code, one.column, one.message) for one in these) for place, these in found.items() if these
    }


def in_a_file(group: Group, lines: Sequence[bytes]) -> Said:
    """The verdict of the pipeline on the same lines, by place."""
    with tempfile.TemporaryDirectory() as folder, Spool() as spool:
        file = Path(folder) / "a.jsonl"
        file.write_bytes(b"\n".join(lines) + b"\n")
        examined = examine(file, file.name, group.of_records(), {"email"}, spool)
    assert examined.rows == len(lines)
    found: Said = {}
    for finding in examined.findings:
        for row in finding.rows.tolist():
            found.setdefault(row - 1, []).append((finding.code, finding.column, finding.message))
    return {place: sorted(these) for place, these in found.items()}


GOOD = [
    b'{"email":"a@example.com"}',
    b'{"email":" A@Example.com ","id":"1","tags":["a"]}',
    b'{"email":"b@c.se","x":1.50}',
]
BAD = [
    *(
        b"{}",
        b'{"email":null}',
        b'{"email":"-"}',
        b'{"email":"nobody","id":"long","kind":"x","count":-1,"tags":[1,2,3]}',
    ),
    *(
        b'{"email":["a@example.com","b"]}',
        b'{"email":"a@example.com","count":99999999999999999999}',
        b'{"email":"a@b.se","id":{}}',
    ),
    *(
        b'{"email":"a@b.se","email":"a@b.se"}',
        b'{"email":"\\ud800"}',
        b'{"email":"a\\u0000"}',
        b'{"x":NaN}',
        b"{",
        b"[]",
        b"1",
    ),
]
values = st.one_of(
    st.sampled_from(["a@example.com", "nobody", "", " ", "#N/A", "-", "web", "1", "x" * 4]),
    *(st.integers(-2, 2), st.booleans(), st.none(), st.lists(st.sampled_from(["a", "", 1]), max_size=3)),
)
written = st.dictionaries(st.sampled_from([*ATTRIBUTES, "Email", "x"]), values, max_size=5).map(
    lambda record: json.dumps(record).encode()
)
lines = st.lists(st.one_of(written, st.sampled_from(GOOD + BAD)), min_size=1, max_size=8)


@given(lines=lines, group=st.sampled_from([OPEN, CLOSED]))
@settings(deadline=None, max_examples=60)
def test_records_meet_the_check_of_a_file_each_by_itself(lines: list[bytes], group: Group) -> None:
    vetter = Vetter(group)
    together = said(vetter.vet(lines))
    assert together == in_a_file(group, lines)
    assert together == {place: one[0] for place, line in enumerate(lines) if (one := said(vetter.vet([line])))}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("place", [0, 299, 599])
def test_one_bad_record_among_many_is_the_only_one(bad: bytes, place: int) -> None:
    many = [GOOD[number % len(GOOD)] for number in range(600)]
    many[place] = bad
    alone = said(Vetter(CLOSED).vet([bad]))
    assert alone.keys() == {0}
    found = {at: these for at, these in said(Vetter(CLOSED).vet(many)).items() if at % 3 != 2 or at == place}
    assert found == {place: alone[0]}


def test_a_value_that_must_be_unique_may_be_in_many_records() -> None:
    assert Vetter(OPEN).vet([b'{"email":"a@example.com","id":"1"}'] * 50) == {}


def test_more_records_than_one_block_holds_are_numbered_through() -> None:
    large = b'{"email":"a@example.com","x":"%b"}' % (b"x" * 1_000_000)
    found = Vetter(OPEN).vet([*[large] * 20, b"{}", large, b"{"])
    assert {place: [one.code for one in these] for place, these in found.items()} == {
        20: ["required"],
        22: ["row.json"],
    }


def test_records_with_very_many_attributes_are_no_burden_to_each_other() -> None:
    wide = [json.dumps({"email": "a@example.com"} | {f"k{n}-{m}": m for m in range(1000)}).encode() for n in range(4)]
    assert Vetter(OPEN).vet([*wide, b"{}"]).keys() == {4}
    found = Vetter(CLOSED).vet(wide)
    assert [len(found[place]) for place in range(4)] == [1000] * 4


def test_limits_are_those_of_files() -> None:
    vetter = Vetter(OPEN, Limits(value=50, attributes=3))
    long, many = json.dumps({"email": "a@b.se", "x": "y" * 51}), json.dumps(dict.fromkeys("abcd", 1))
    found = vetter.vet([GOOD[0], long.encode(), many.encode(), GOOD[1]])
    assert {place: [(one.code, one.column) for one in these] for place, these in found.items()} == {
        1: [("row.value.size", "x")],
        2: [("row.attributes", None)],
    }


def test_findings_are_for_the_customer_and_hold_no_values() -> None:
    (found,) = Vetter(OPEN).vet([b'{"email":"canary","id":"canary","kind":"canary","count":"canary"}']).values()
    assert {one.outcome for one in found} == {Outcome.INVALID}
    assert {one.column for one in found} == {"email", "id", "kind", "count"}
    assert "canary" not in " ".join(one.message for one in found)


@pytest.mark.parametrize("line", [b'{"email":\n"a@example.com"}', b"", b" ", b"\r"])
def test_what_is_no_one_line_is_a_fault_of_the_program(line: bytes) -> None:
    with pytest.raises(ValueError, match="records came"):
        Vetter(OPEN).vet([GOOD[0], line])


def test_several_threads_may_vet_at_once() -> None:
    vetter = Vetter(CLOSED)
    wanted = [said(vetter.vet([line])) for line in GOOD + BAD]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda line: said(vetter.vet([line])), (GOOD + BAD) * 20))
    assert found == wanted * 20
