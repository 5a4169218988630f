"""What `check` and `preview` foretell is what a run does."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.destination import Destination, destination
from support.installation import KEY, Installation, made, people, table, to

from batch.errors import BatchError
from config.group import Group, MappingTest
from jobs import rehearsal

HEADER = ("id", "email", "age", "tags")
ATTRIBUTES = {
    "id": {"unique": True},
    "email": {"type": "email", "required": True},
    "age": {"type": "integer", "min": 0},
    "tags": {"type": "list"},
}
MAPPING = {"id": "id", "mail": "email", "years": "cast(age as int)", "first": "tags[1]", "n": "cast(id as int)"}


@pytest.fixture
def there() -> Iterator[Destination]:
    with destination() as there:
        yield there


def installed(home: Path, base: str) -> Installation:
    it = made(home)
    integrations = {
        "all": to(base + "/all", mapping={"id": "id", "mail": "email", "tags": "tags"}),
        "some": to(base + "/some", mapping=MAPPING, where="age > 17"),
    }
    it.group(integrations=integrations, attributes=ATTRIBUTES)
    return it


def group(it: Installation) -> Group:
    with it.opened() as runtime:
        return runtime.groups[KEY]


CELLS = st.tuples(
    st.one_of(st.integers(1, 9999).map(str), st.sampled_from(["x", "", "007"])),
    st.sampled_from(["a@b.se", "C@D.se ", "e@f.se", "g@h.se", "", "no"]),
    st.sampled_from(["17", "18", "44", "60", "", "-1", "#N/A"]),
    st.sampled_from(["", "a|b", "=x", "#N/A"]),
)


@given(rows=st.lists(CELLS, max_size=12))
@settings(max_examples=15, deadline=None)
def test_a_check_gives_the_verdict_of_a_run(rows: list[tuple[str, ...]]) -> None:
    with TemporaryDirectory() as home, destination() as there:
        it = installed(Path(home), there.base)
        file = Path(home) / "a.csv"
        file.write_bytes(table(rows, HEADER))
        it.drop(f"{KEY}/a.csv", file.read_bytes())
        to = Path(home) / "undelivered.csv"
        verdict = rehearsal.check(file, group(it), to)
        lines = rehearsal.preview(file, group(it), None, 100)
        receipt = it.one()
        undelivered = list(csv.DictReader(io.StringIO(to.read_text("utf-8"), newline=""))) if to.exists() else []
        assert undelivered == it.undelivered(receipt)
        assert receipt["rows"]["read"] == verdict.examined.rows == len(rows)
        for name, share in verdict.shares.items():
            got = receipt["integrations"][name]
            assert (got["delivered"], got["filtered"], got["invalid"]) == (share.send, share.filtered, share.invalid)
            foretold = Counter(json.dumps(it.item) for it in lines if (it.integration, it.outcome) == (name, "send"))
            sent = [record for call in there.calls if call.path == f"/{name}" for record in call.records]
            assert foretold == Counter(map(json.dumps, sent))


def test_nothing_is_sent_and_nothing_is_remembered(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there.base)
    file = tmp_path / "a.csv"
    file.write_bytes(table([["1", "a@b.se", "20", ""]], HEADER))
    rehearsal.check(file, group(it), None)
    rehearsal.preview(file, group(it), None, 5)
    assert there.calls == []
    with it.opened() as runtime:
        assert runtime.ledger.batches() == []


def test_a_good_file_leaves_no_undelivered_file(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    (tmp_path / "a.csv").write_bytes(people(3))
    out = tmp_path / "out.csv"
    rehearsal.check(tmp_path / "a.csv", group(it), out)
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"id\n1\n", b'id,email\n1,"a'])
def test_a_file_that_cannot_be_used_is_told(tmp_path: Path, there: Destination, content: bytes) -> None:
    it = made(tmp_path, hook=to(there.base))
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(BatchError):
        rehearsal.check(tmp_path / "a.csv", group(it), tmp_path / "out.csv")
    with pytest.raises(BatchError):
        rehearsal.preview(tmp_path / "a.csv", group(it), None, 5)


def test_a_preview_shows_the_first_rows_in_order_each_with_its_fate(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there.base)
    rows = [["1", "a@b.se", "20", "x"], ["2", "no", "20", ""], ["3", "c@d.se", "9", ""], ["x", "e@f.se", "30", ""]]
    (tmp_path / "a.csv").write_bytes(table([*rows, *rows], HEADER))
    lines = rehearsal.preview(tmp_path / "a.csv", group(it), None, 4)
    assert [(line.row, line.integration, line.outcome) for line in lines] == [
        *((1, "all", "send"), (1, "some", "send")),
        (2, None, "invalid"),
        *((3, "all", "send"), (3, "some", "filtered")),
        *((4, "all", "send"), (4, "some", "invalid")),
    ]
    assert lines[1].item == {"id": "1", "mail": "a@b.se", "years": 20, "first": "x", "n": 1}
    assert lines[3].item == {"id": "3", "mail": "c@d.se"}
    assert lines[-1].problems[0].startswith("mapping.failed")
    alone = rehearsal.preview(tmp_path / "a.csv", group(it), "some", 1)
    assert [(line.row, line.integration) for line in alone] == [(1, "some")]


@pytest.mark.parametrize(
    ("given_", "expect", "says"),
    [
        ({"id": "1", "email": " A@b.se", "age": 20}, {"id": "1", "mail": "a@b.se", "years": 20, "n": 1}, None),
        ({"id": "1", "email": "a@b.se", "age": 20}, {"id": "1"}, "expected {"),
        ({"id": "1", "email": "no", "age": 20}, {}, "email.format"),
        ({"id": "1", "email": "a@b.se", "age": 3}, None, None),
        ({"id": "1", "email": "a@b.se", "age": 3}, {"id": "1"}, "got null"),
    ],
    ids=["right", "wrong", "invalid", "filtered", "filtered and not so meant"],
)
def test_a_mappings_own_tests(
    tmp_path: Path, given_: dict[str, Any], expect: dict[str, Any] | None, says: str | None
) -> None:
    test = MappingTest(given=given_, expect=expect)
    said = rehearsal.mapping_test(group(installed(tmp_path, "http://127.0.0.1:9")), "some", test)
    assert (said is None) if says is None else (said is not None and says in said)
