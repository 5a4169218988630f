"""The undelivered file: rows as they stood, safe in a spreadsheet, and fit to be dropped again."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch import rowset
from batch.outcome import Finding, Outcome
from batch.reading import REPORT, Reader, Sizes, verbatim
from batch.reading.mended import restore
from batch.sheet import neutral
from batch.undelivered import write
from config.files import FileFormat

Said = list[tuple[str | None, Finding]]
CELLS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from("'=+-@\t\r\n\",;"), max_size=5
)


def a_finding(*rows: int, code: str = "email.format", **more: Any) -> Finding:
    outcome, column = more.get("outcome", Outcome.INVALID), more.get("column")
    return Finding(outcome, code, column, more.get("message", "No."), rowset.of(*rows))


def written(drop: bytes, findings: Said, name: str = "a.csv", files: FileFormat = FileFormat()) -> bytes:  # noqa: B008
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "drop").write_bytes(drop)
        write(Path(folder) / "to", Path(folder) / "drop", name, files, findings)
        return (Path(folder) / "to").read_bytes()


def table(text: bytes, **more: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode("utf-8"), newline=""), **more))


def delimited(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def read_again(text: bytes, name: str = "again.csv") -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(text)
        blocks = list(Reader(path, name, FileFormat()))
        assert [finding for block in blocks for finding in block.findings] == []
        return [row for block in blocks for row in block.frame.rows(named=True)]


def test_a_row_stands_once_for_each_integration_that_owes_it() -> None:
    findings: Said = [
        (None, a_finding(2, column="e", message="One.")),
        (None, a_finding(2, code="required", message="Two.")),
        ("crm", a_finding(1, 3, code="rejected.x", outcome=Outcome.REJECTED)),
        ("web", a_finding(3, code="no_answer", outcome=Outcome.UNKNOWN, column="f")),
    ]
    assert table(written(b"e,n\na,1\nb,2\nc,3\nd,4\n", findings)) == [
        [*REPORT, "e", "n"],
        ["1", "crm", "rejected", "rejected.x", "", "No.", "a", "1"],
        ["2", "", "invalid", "email.format", "e", "One.; Two.", "b", "2"],
        ["3", "crm", "rejected", "rejected.x", "", "No.", "c", "3"],
        ["3", "web", "unknown", "no_answer", "f", "No.", "c", "3"],
    ]


def test_bad_rows_stand_as_they_are() -> None:
    drop = b'a,b\n1\n"x"y,2\n3,4,5\nfine,"q""q"\n\n00123, 6 \n'
    assert [row[6:] for row in table(written(drop, [(None, a_finding(1, 2, 3, 4, 5))]))] == [
        ["a", "b"], ["1"], ['"x"y,2'], ["3", "4", "5"], ["fine", 'q"q'], ["00123", " 6 "]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        *[
            (cell, f"'{cell}")
            for cell in (
                "=1+1",
                "+cmd|' /C calc'!A0",
                "-x",
                "@SUM(A1)",
                "\tx",
                "\rx",
                "\nx",
                "'=1",
                "-",
                "+1-2",
                "-1,2,3",
            )
        ],
        *[(cell, cell) for cell in ("-5", "+46701234567", "-1.5", "+1,5", "a=b", "", "'", "'x", " =1", "00123", "1e5")],
    ],
)
def test_formulas_are_neutralised(cell: str, safe: str) -> None:
    assert neutral(cell) == safe


@given(CELLS)
def test_neutralising_can_be_undone(cell: str) -> None:
    assert restore(neutral(cell)) == cell
    assert neutral(cell) == cell or neutral(cell)[0] == "'"


@settings(deadline=None)
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=5), st.data())
def test_a_file_dropped_again_holds_what_the_first_one_held(cells: list[list[str]], data: st.DataObject) -> None:
    chosen = data.draw(st.sets(st.integers(1, len(cells)), min_size=1))
    report = written(delimited([["a", "b"], *cells]), [(None, a_finding(*chosen))])
    again = [[row["a"] or "", row["b"] or ""] for row in read_again(report)]
    assert again == [cells[row - 1] for row in sorted(chosen)]


@settings(deadline=None)
@given(CELLS)
def test_the_destinations_words_and_odd_names_are_safe(words: str) -> None:
    lines = table(written(b"a,b\n1,2\n", [("crm", a_finding(1, column=words, message=words))]))
    assert lines[1] == ["1", "crm", "invalid", "email.format", neutral(words), neutral(words), "1", "2"]
    assert restore(lines[1][5]) == words


def expected(cells: list[list[str]], findings: Said) -> bytes:
    """Return the undelivered file of a table, line by line."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow([*REPORT, *cells[0]])
    for row, own in enumerate(cells[1:], start=1):
        said: dict[str | None, list[Finding]] = {}
        for integration, finding in findings:
            if row in finding.rows:
                said.setdefault(integration, []).append(finding)
        for integration, these in said.items():
            column, message = these[0].column or "", "; ".join(one.message for one in these)
            words = [integration or "", these[0].outcome.value, these[0].code, neutral(column), neutral(message)]
            line = [str(row), *words, *map(neutral, own)]
            quoting = csv.QUOTE_ALL if "\r" in "".join(line) else csv.QUOTE_MINIMAL
            csv.writer(text, lineterminator="\n", quoting=quoting).writerow(line)
    return text.getvalue().encode()


@settings(deadline=None)
@given(st.lists(st.lists(CELLS, min_size=1, max_size=3), min_size=1, max_size=9), st.data())
def test_every_line_is_what_it_would_be_by_itself(cells: list[list[str]], data: st.DataObject) -> None:
    rows = st.sets(st.integers(1, len(cells)), min_size=1)
    each = st.builds(lambda of, rows, code, words: (of, a_finding(*rows, code=code, column=words, message=words)),
                     st.sampled_from([None, "crm", "web"]), rows, st.sampled_from("xyz"), CELLS)  # fmt: skip
    findings = data.draw(st.lists(each, max_size=6))
    drop = delimited([["a", "b"], *cells])
    with patch("batch.undelivered.verbatim", partial(verbatim, sizes=Sizes(block=data.draw(st.integers(1, 60))))):
        assert written(drop, findings) == expected([["a", "b"], *cells], findings)


def test_the_file_is_written_as_the_groups_files_are() -> None:
    text = written(
        "a;b\nå;2\n".encode("latin-1"), [(None, a_finding(1))], files=FileFormat(delimiter=";", encoding="latin-1")
    )
    assert text.startswith(b"\xef\xbb\xbf_row;_integration;")
    assert table(text[3:], delimiter=";")[1][6:] == ["å", "2"]
    tabs = written(b"a\tb\n1\t2\n", [(None, a_finding(1))], "a.TSV")
    assert table(tabs, delimiter="\t")[1][6:] == ["1", "2"]


def test_with_nothing_to_tell_there_is_a_header() -> None:
    assert table(written(b"a,b\n1,2\n", [])) == [[*REPORT, "a", "b"]]
    assert written(b'{"a":1}\n', [], "a.jsonl") == b""


LINES = [
    '{"a": 1.10, "å": "=1+1"}',
    "{}",
    '{"b":[1,null]}',
    "not json",
    '{"a":1}{',
    "[1]",
    '{"a":{"b":1}}',
    '{"n":NaN}',
]


def test_json_lines_keep_their_own_text() -> None:
    drop = "\n".join(LINES).encode() + b"\n"
    report = written(drop, [(None, a_finding(*range(1, len(LINES) + 1), column="c"))], "a.jsonl").decode()
    told = report.splitlines()
    assert len(told) == len(LINES)
    for row, (line, own) in enumerate(zip(told, LINES, strict=True), start=1):
        record = json.loads(line)
        assert {key: record[key] for key in REPORT} == {
            "_row": row, "_integration": "", "_outcome": "invalid", "_code": "email.format", "_column": "c",
            "_message": "No.",
        }  # fmt: skip
        if own.startswith("{") and own != '{"a":1}{':
            assert own[1:] in line, "verbatim"
        else:
            assert record["_text"] == own


def test_json_lines_dropped_again_hold_what_they_held() -> None:
    drop = b'{"a":"00123","n":12345678901234567890.10}\n{"b":"=1"}\n{"a":null}\n'
    report = written(drop, [("crm", a_finding(1, 2, 3))], "a.jsonl")
    assert [
        {key: value for key, value in row.items() if value is not None and key != "_row"}
        for row in read_again(report, "again.jsonl")
    ] == [{"a": "00123", "n": "12345678901234567890.10"}, {"b": "=1"}, {"a": "#N/A"}]


def test_a_report_of_a_report_has_the_report_once() -> None:
    first = written(b"a,b\n=x,2\n", [(None, a_finding(1))])
    second = written(first, [("crm", a_finding(1, message="Still no."))])
    assert table(second) == [
        [*REPORT, "a", "b"], ["1", "crm", "invalid", "email.format", "", "Still no.", "'=x", "2"]
    ]  # fmt: skip
    third = written(written(b'{"a":1}\n', [(None, a_finding(1))], "a.jsonl"), [("crm", a_finding(1))], "a.jsonl")
    assert list(json.loads(third)) == [*REPORT, "a"]
