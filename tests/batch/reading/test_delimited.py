"""CSV and TSV: what is read, what is refused, and that nothing is lost in between."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch.errors import BatchError
from batch.reading import delimited
from batch.sheet import neutral

if TYPE_CHECKING:
    from conftest import Reading

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
BLOCKS = [1, 7, 64, 8 << 20]


@pytest.mark.parametrize(
    ("data", "values"),
    [
        pytest.param(b"a,b\n00123,1e5\n", [("00123", "1e5")], id="text is never guessed at"),
        pytest.param(b"a,b\n2026-01-01,true\n", [("2026-01-01", "true")], id="nor dates or booleans"),
        pytest.param(b'a,b\n"",\n', [("", None)], id="quoted empty is not nothing"),
        pytest.param(b"a,b\n,\n", [(None, None)], id="delimiters alone are a record"),
        pytest.param(b'a,b\n"x ""y"" z",1\n', [('x "y" z', "1")], id="quotes in quotes"),
        pytest.param(b'a,b\n"""",""""""\n', [('"', '""')], id="nothing but quotes"),
        pytest.param(b'a,b\n"x,y","1\n2"\n3,4\n', [("x,y", "1\n2"), ("3", "4")], id="delimiter and line end in quotes"),
        pytest.param(b'a,b\r\n"1\r\n2",x\r\n3,"y"\r\n', [("1\r\n2", "x"), ("3", "y")], id="CR LF is kept in quotes"),
        pytest.param(b"a,b\r1,2\r3,4\r", [("1", "2"), ("3", "4")], id="a lone CR ends a line"),
        pytest.param(b'a,b\r"1\r2",x\r3,y', [("1\r2", "x"), ("3", "y")], id="but not in quotes"),
        pytest.param(b"a,b\n1,2\r\n3,4\r5,6\n", [("1", "2"), ("3", "4"), ("5", "6")], id="line ends mixed"),
        pytest.param(b"a,b\n1,2\n3,4", [("1", "2"), ("3", "4")], id="no line end at the end"),
        pytest.param(b"a,b\n 1 ,\t2\n", [(" 1 ", "\t2")], id="spaces are kept"),
        pytest.param(b"\xef\xbb\xbfa,b\n1,2\n", [("1", "2")], id="byte order mark"),
        pytest.param("a,b\n\ufeff1,2\n".encode(), [("\ufeff1", "2")], id="a byte order mark that is part of a value"),
        pytest.param("a,å\nÅsa,😀\n".encode(), [("Åsa", "😀")], id="UTF-8"),
        pytest.param(b"a\n1\n\n2\n", [("1",), ("2",)], id="one column, blank line"),
        pytest.param(b'a\n""\n', [("",)], id="one column, quoted empty"),
        pytest.param(b"a,b\n#1,2\n", [("#1", "2")], id="no comments"),
        pytest.param(b"a,b\nNULL,NA\n", [("NULL", "NA")], id="no null words"),
    ],
)
@pytest.mark.parametrize("block", BLOCKS)
def test_good_records(reading: Reading, data: bytes, values: list[tuple[str, ...]], block: int) -> None:
    read = reading(data, block=block)
    assert read.values == values
    assert not read.bad


@pytest.mark.parametrize(
    ("data", "good", "bad"),
    [
        pytest.param(b"a,b\n1\n2,3\n", {2: ("2", "3")}, {1: "row.fields"}, id="short"),
        pytest.param(b"a,b\n1,2\n1,2,3\n4,5\n", {1: ("1", "2"), 3: ("4", "5")}, {2: "row.fields"}, id="long"),
        pytest.param(
            b"a,b\n1\n1,2,3\n4,5\n", {3: ("4", "5")}, dict.fromkeys((1, 2), "row.fields"), id="both cancel out"
        ),
        pytest.param(b'a,b\n"x"y,1\n2,3\n', {2: ("2", "3")}, {1: "row.quote"}, id="text after a closing quote"),
        pytest.param(b'a,b\nx"y,1\n2,3\n', {2: ("2", "3")}, {1: "row.quote"}, id="a quote in bare text"),
        pytest.param(b'a,b\nx"y"z,1\n2,3\n', {2: ("2", "3")}, {1: "row.quote"}, id="two quotes in bare text"),
        pytest.param(b'a,b\n1, "2"\n3,4\n', {2: ("3", "4")}, {1: "row.quote"}, id="a space before the quote"),
        pytest.param(b'a,b\n5",1\n6",2\n"x","y"\n', {3: ("x", "y")}, {1: "row.quote", 2: "row.quote"}, id="inches"),
        pytest.param(b"a,b\n1,\x002\n3,4\n", {2: ("3", "4")}, {1: "row.nul"}, id="NUL"),
        pytest.param(b"a,b\n1,2\n3,4\n\x00,4\n", {1: ("1", "2"), 2: ("3", "4")}, {3: "row.nul"}, id="NUL at the end"),
        pytest.param(b'a,b\n"1\n2"x,3\n4,5\n', {2: ("4", "5")}, {1: "row.quote"}, id="a broken record of two lines"),
    ],
)
@pytest.mark.parametrize("block", BLOCKS)
def test_a_bad_record_is_named_and_the_others_go_on(
    reading: Reading, data: bytes, good: dict[int, Any], bad: dict[int, str], block: int
) -> None:
    read = reading(data, block=block)
    assert {row: tuple(record.values()) for row, record in read.good.items()} == good
    assert read.bad == bad


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"", "file.empty", "empty"),
        (b"\n\r\n\n", "file.empty", "empty"),
        (b"\xef\xbb\xbf", "file.empty", "empty"),
        (b"a,b,a\n1,2,3\n", "file.header.duplicate", "a"),
        (b"a,,c\n1,2,3\n", "file.header.name", "Column 2"),
        (b'a,"b\nc"\n1,2\n', "file.header.name", "Column 2"),
        (b"a,_row\n1,2\n", "file.header.name", "_row"),
        (b'a,b"\n1,2\n', "file.quote", "line 1"),
        (b'a,b\n1,2\n3,"4\n5,6\n', "file.quote", "line 3"),
        (b'a,b\r\n1,2\r\n"3\r\n,"4\r\n5,6"\r\n7,"', "file.quote", "line 6"),
        (b'a,b\n1,2\n"' + b"x\n" * 200, "file.quote", "line 3"),
        (b"a,b\n1,2\n" + b"x" * 200, "file.record.size", "line 3"),
        (b"a,b\n1,2\n" + b"x" * 200 + b"\n3,4\n", "file.record.size", "line 3"),
    ],
)
@pytest.mark.parametrize("block", BLOCKS)
def test_a_file_that_cannot_be_used(reading: Reading, data: bytes, code: str, words: str, block: int) -> None:
    with pytest.raises(BatchError, match=words) as caught:
        reading(data, block=block, record=100)
    assert caught.value.code == code


def test_a_header_alone_is_no_records(reading: Reading) -> None:
    read = reading(b"a,b\n")
    assert read.blocks == []
    assert read.tally.header == ("a", "b")


def test_blank_lines_are_counted_apart(reading: Reading) -> None:
    read = reading(b"\na,b\r\n\r\n1,2\n\n\n3,4\r\r5,6\n")
    assert read.values == [("1", "2"), ("3", "4"), ("5", "6")]
    assert read.tally.blank_lines == 5


@pytest.mark.parametrize(("name", "delimiter"), [("a.tsv", None), ("A.TSV", None), ("a.csv", "\t")])
def test_tabs(reading: Reading, name: str, delimiter: str | None) -> None:
    assert reading(b"a\tb\n1,5\t2\n", name, delimiter=delimiter).values == [("1,5", "2")]


def test_messages_say_how_many_fields_and_which_line(reading: Reading) -> None:
    read = reading(b'a,b\n1\n"x\ny"z,3\n')
    messages = {finding.code: finding.message for finding in read.blocks[0].findings}
    assert "2 fields" in messages["row.fields"]
    assert "has 1" in messages["row.fields"]
    assert "line 3" in messages["row.quote"]


def test_where_polars_disagrees_the_records_are_read_one_by_one(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disagree(*_: Any, **__: Any) -> pl.DataFrame:
        raise pl.exceptions.ComputeError("1,secret")

    data = b'a,b\n1,""\n2,"x\ny"\n3,\n'
    fast = reading(data).values
    monkeypatch.setattr(delimited.pl, "read_csv", disagree)
    assert reading(data).values == fast == [("1", ""), ("2", "x\ny"), ("3", None)]


def test_verbatim_gives_bad_records_as_they_stand(reading: Reading) -> None:
    read = reading(b'a,b\n1\n"x"y,3\r\n"p ""q""","",5\n')
    assert read.verbatim == {1: ["1"], 2: ['"x"y,3'], 3: ['p "q"', "", "5"]}


def test_a_mended_undelivered_file_gives_the_drops_own_columns(reading: Reading) -> None:
    report = b"_row,_integration,_outcome,_code,_column,_message"
    read = reading(report + b",a,'-b\n7,x,failed,c,,m,'=1+1,''@x\n8,x,failed,c,,m,'plain,\n9,short\n")
    assert read.good == {1: {"a": "=1+1", "-b": "'@x"}, 2: {"a": "'plain", "-b": None}}
    assert read.tally.header == ("a", "-b")
    assert read.verbatim == {1: ["=1+1", "'@x"], 2: ["'plain", ""], 3: []}


texts = st.text(st.sampled_from("ab=+-@,;\"'\n\r\t é😀"), max_size=6)


@given(rows=st.lists(st.tuples(texts, texts), min_size=1, max_size=8))
@QUICK
def test_what_the_report_neutralises_comes_back(reading: Reading, rows: list[tuple[str, str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(["_row", "_integration", "_outcome", "_code", "_column", "_message", "a", "b"])
    writer.writerows(["1", "i", "o", "c", "", "m", *map(neutral, row)] for row in rows)
    read = reading(out.getvalue().encode())
    assert read.values == rows
    assert list(read.verbatim.values()) == [list(row) for row in rows]


@given(
    rows=st.lists(st.lists(texts, min_size=1, max_size=4), min_size=1, max_size=12),
    style=st.sampled_from(
        [("\n", csv.QUOTE_ALL), ("\r", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]
    ),
    block=st.sampled_from([1, 5, 40, 1 << 20]),
)
@QUICK
def test_what_csv_writes_is_read(reading: Reading, rows: list[list[str]], style: tuple[str, Any], block: int) -> None:
    """Python's csv module as the oracle: records of three cells are good, the others are row.fields."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=style[0], quoting=style[1])
    writer.writerows([["a", "b", "c"], *rows])
    read = reading(out.getvalue().encode(), block=block)
    assert {row: [cell or "" for cell in record.values()] for row, record in read.good.items()} == {
        row: cells for row, cells in enumerate(rows, 1) if len(cells) == 3
    }
    assert read.bad == {row: "row.fields" for row, cells in enumerate(rows, 1) if len(cells) != 3}
    assert list(read.verbatim.values()) == rows


def strict_records(text: str) -> list[tuple[list[str | None], bool]] | None:
    """The rules once more, a character at a time: each record's cells and whether it is sound; None: quote open."""
    records: list[tuple[list[str | None], bool]] = []
    at = 0
    while at < len(text):
        cells: list[str | None] = []
        sound = True
        while True:
            cell, quoted = "", False
            if text[at : at + 1] == '"':
                quoted, at = True, at + 1
                while True:
                    end = text.find('"', at)
                    if end < 0:
                        return None
                    cell, at = cell + text[at:end], end + 1
                    if text[at : at + 1] != '"':
                        break
                    cell, at = cell + '"', at + 1
            while at < len(text) and text[at] not in ",\n\r":
                sound = sound and not quoted and text[at] != '"'
                cell, at = cell + text[at], at + 1
            cells.append(cell if cell or quoted else None)
            if text[at : at + 1] != ",":
                break
            at += 1
        at += 2 if text[at : at + 2] == "\r\n" else 1
        if cells != [None]:
            records.append((cells, sound))
    return records


@given(text=st.text(st.sampled_from('a",\n\r'), max_size=40), block=st.sampled_from([1, 6, 1 << 20]))
@settings(QUICK, max_examples=600)
def test_any_text_is_read_as_the_rules_say(reading: Reading, text: str, block: int) -> None:
    expected = strict_records(text)
    data = b"h,i\n" + text.encode()
    if expected is None:
        with pytest.raises(BatchError, match=r"file\.quote"):
            reading(data, block=block)
        return
    read = reading(data, block=block)
    sound = {row: cells for row, (cells, sound) in enumerate(expected, 1) if sound and len(cells) == 2}
    assert {row: list(record.values()) for row, record in read.good.items()} == sound
    assert {row for row, code in read.bad.items() if code == "row.quote"} == {
        row for row, (_, sound) in enumerate(expected, 1) if not sound
    }


def test_a_block_that_polars_splits_among_threads(reading: Reading) -> None:
    """Large enough that polars looks for line starts of its own, amid quoted line ends and delimiters."""
    rows = [[f"{n:05d}", f'l1 "{n}"\n{n},x\r\nl3', "" if n % 3 else "y"] for n in range(60_000)]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([["a", "b", "c"], *rows])
    read = reading(out.getvalue().encode(), block=1 << 20)
    assert [[cell or "" for cell in row] for row in read.values] == rows


def test_many_misplaced_quotes_cost_no_more_than_reading_record_by_record(reading: Reading) -> None:
    read = reading(b"a,b\n" + b'5" pipe,1\n"x","y"\n' * 20_000)
    assert len(read.bad) == len(read.good) == 20_000


def test_csv_spectrum(reading: Reading, shared: Path) -> None:
    folder = shared / "corpora/csv-spectrum"
    files = sorted((folder / "csvs").glob("*.csv"))
    assert files
    for file in files:
        expected = json.loads((folder / "json" / f"{file.stem}.json").read_text())
        read = reading(file.read_bytes())
        if file.stem == "location_coordinates":  # degrees and minutes, with bare quotes for the seconds
            assert read.bad == {1: "row.quote"}
            continue
        assert [{key: cell or "" for key, cell in record.items()} for record in read.good.values()] == expected


@pytest.mark.parametrize("delimiter", [";", "|", "^", "]", "\\", "-", " ", "'", "a"])
def test_any_delimiter(reading: Reading, delimiter: str) -> None:
    data = '1,"2,3"\n4,5\n'.replace(",", delimiter).encode()
    assert reading(b"x" + delimiter.encode() + b"y\n" + data, delimiter=delimiter).values == [
        ("1", f"2{delimiter}3"),
        ("4", "5"),
    ]


def test_naughty_strings(reading: Reading, shared: Path) -> None:
    naughty = json.loads((shared / "corpora/blns/blns.json").read_text())
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *([text, text] for text in naughty)])
    assert reading(out.getvalue().encode()).values == [(text, text) for text in naughty]
    lines = "\n".join(json.dumps({"a": text}, ensure_ascii=False) for text in naughty)
    assert reading(lines.encode(), "a.jsonl").values == [(text,) for text in naughty]
