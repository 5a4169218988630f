"""JSON Lines: what is read, what is refused, and that nothing is lost in between."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch.errors import BatchError
from batch.reading import quick

if TYPE_CHECKING:
    from conftest import Reading

QUICK = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
BLOCKS = [1, 9, 8 << 20]


@pytest.mark.parametrize(
    ("line", "record"),
    [
        pytest.param(r'{"a":"00123"}', {"a": "00123"}, id="text"),
        pytest.param(r'{"a":"{\"k\":1}"}', {"a": '{"k":1}'}, id="text that looks like an object"),
        pytest.param(r'{"a":"x\\","b":"\""}', {"a": "x\\", "b": '"'}, id="escapes before quotes"),
        pytest.param(r'{"a":"\ud83d\ude00\u00e5"}', {"a": "😀å"}, id="a whole surrogate pair"),
        pytest.param(r'{"a":9007199254740993,"b":1.50}', {"a": "9007199254740993", "b": "1.50"}, id="digits"),
        pytest.param(r'{"a":-0,"b":-0.0,"c":1E5}', {"a": "-0", "b": "-0.0", "c": "1E5"}, id="digits of odd numbers"),
        pytest.param(r'{"a":[-0, 0]}', {"a": ["-0", "0"]}, id="minus zero in a list"),
        pytest.param('{"a":1' + "0" * 5000 + "}", {"a": "1" + "0" * 5000}, id="very many digits"),
        pytest.param(r'{"a":true,"b":false}', {"a": "true", "b": "false"}, id="booleans"),
        pytest.param(r'{"a":null,"b":""}', {"a": "#N/A", "b": ""}, id="null clears, empty is empty"),
        pytest.param(r'{"a":["x",1,true,"\u00e5"]}', {"a": ["x", "1", "true", "å"]}, id="a list"),
        pytest.param(r'{"a":[],"b":[""]}', {"a": [], "b": [""]}, id="empty lists"),
        pytest.param(r' { "a" : "x" } ', {"a": "x"}, id="spaces"),
        pytest.param(r'{"a\"b\\":"x"}', {'a"b\\': "x"}, id="a key with a quote"),
        pytest.param(r'{"":"x"}', {"": "x"}, id="an empty key"),
        pytest.param("{}", {}, id="no key"),
        pytest.param('{"_row":7,"_code":"c","a":"x"}', {"a": "x"}, id="a mended record"),
    ],
)
@pytest.mark.parametrize("beside", [False, True])
def test_good_records(reading: Reading, line: str, record: dict[str, Any], beside: bool) -> None:
    """Alone, and beside a bad line, which has the whole block read line by line."""
    read = reading((line + "\n" + "{\n" * beside).encode(), "a.jsonl")
    assert read.good == {1: record}
    assert read.bad == ({2: "row.json"} if beside else {})


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"[]", "row.json"),
        (b'"x"', "row.json"),
        (b'{"a":1', "row.json"),
        (b'{"a":1} {"a":2}', "row.json"),
        (b'{"a":NaN}', "row.json"),
        (b'{"a":-Infinity}', "row.json"),
        (b'{"a":01}', "row.json"),
        (b'{"a":1,}', "row.json"),
        (b"{'a':1}", "row.json"),
        (b'{"a":"\t"}', "row.json"),
        (b'{"a":{"k":1}}', "row.nested"),
        (b'{"a":{}}', "row.nested"),
        (b'{"a":[[1]]}', "row.nested"),
        (b'{"a":["x",{}]}', "row.nested"),
        (b'{"a":[null]}', "row.nested"),
        (b'{"a":' + b"[" * 100_000, "row.nested"),
        (b'{"a":1,"a":2}', "row.duplicate_key"),
        (b'{"a":"1","a":"1"}', "row.duplicate_key"),
        (b'{"a":1,"\\u0061":2}', "row.duplicate_key"),
        (b'{"a":"\\"","a":"x\\\\"}', "row.duplicate_key"),
        (b'{"a":"\\ud800"}', "row.surrogate"),
        (b'{"a":["\\udfff x"]}', "row.surrogate"),
        (b'{"\\ud800":1}', "row.surrogate"),
        (b'{"a":"\\u0000"}', "row.nul"),
        (b'{"\\u0000":"x"}', "row.nul"),
        (b'{"a":"\x00"}', "row.nul"),
    ],
)
@pytest.mark.parametrize("block", BLOCKS)
def test_a_bad_line_is_named_and_the_others_go_on(reading: Reading, line: bytes, code: str, block: int) -> None:
    read = reading(b'{"a":"x"}\n' + line + b'\n{"a":1}\n', "a.jsonl", block=block)
    assert read.good == {1: {"a": "x"}, 3: {"a": "1"}}
    assert read.bad == {2: code}
    assert read.verbatim[2] == line.decode()


def test_every_key_counts_whenever_it_is_seen_first(reading: Reading) -> None:
    lines = [{"a": n} for n in range(300)] + [{"b": "x"}, {"a": None, "c": [1]}]
    read = reading("\n".join(map(json.dumps, lines)).encode(), "a.ndjson")
    assert read.good[1] == {"a": "0", "b": None, "c": None}
    assert read.good[301] == {"a": None, "b": "x", "c": None}
    assert read.good[302] == {"a": "#N/A", "b": None, "c": ["1"]}


def test_a_column_with_a_list_holds_lists(reading: Reading) -> None:
    read = reading(b'{"a":"x"}\n{"a":[1,2]}\n{"a":null}\n{}\n', "a.jsonl", clear="CLEAR")
    assert read.blocks[0].frame.schema["a"] == pl.List(pl.String)
    assert [record["a"] for record in read.good.values()] == [["x"], ["1", "2"], ["CLEAR"], None]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("block", BLOCKS)
def test_line_ends_and_blank_lines(reading: Reading, end: bytes, block: int) -> None:
    read = reading(end.join([b"", b'{"a":1}', b"", b" \t", b'{"a":2}', b""]), "a.jsonl", block=block)
    assert read.values == [("1",), ("2",)]
    assert read.tally.blank_lines == 3
    assert read.tally.header is None


@pytest.mark.parametrize(
    ("end", "incomplete", "bad"),
    [
        (b'{"a":2}', False, {}),
        (b'{"a":2', True, {2: "row.json"}),
        (b'{"a":2\n', False, {2: "row.json"}),
        (b'{"a":2\n \t', False, {2: "row.json"}),
        (b'{"a":{}}', False, {2: "row.nested"}),
        (b'{"a":\0\0', True, {2: "row.nul"}),
        (b'{"a":{"b":1,"b":1},"c', True, {2: "row.duplicate_key"}),
        (b'{"a":' + b"[" * 5000, True, {2: "row.nested"}),
        (b"\n", False, {}),
    ],
)
@pytest.mark.parametrize("block", BLOCKS)
def test_a_cut_last_line_marks_the_file(
    reading: Reading, end: bytes, incomplete: bool, bad: dict[int, str], block: int
) -> None:
    read = reading(b'{"a":1}\n' + end, "a.jsonl", block=block)
    assert (read.tally.incomplete, read.bad) == (incomplete, bad)


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"", "file.empty", "no record"),
        (b" \n\r\n", "file.empty", "no record"),
        (b'{"a":1}\n' + b"x" * 200, "file.record.size", "Line 2"),
        (b'{"a":1}\n\n' + b"x" * 200 + b"\n{}\n", "file.record.size", "Line 3"),
    ],
)
@pytest.mark.parametrize("block", BLOCKS)
def test_a_file_that_cannot_be_used(reading: Reading, data: bytes, code: str, words: str, block: int) -> None:
    with pytest.raises(BatchError, match=words) as caught:
        reading(data, "a.jsonl", block=block, record=100)
    assert caught.value.code == code


def test_records_that_share_no_keys_do_not_make_a_huge_frame(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "MOST_CELLS", 100)
    monkeypatch.setattr("batch.reading.jsonl.MOST_CELLS", 100)
    read = reading(b"".join(b'{"k%d":1}\n' % n for n in range(100)), "a.jsonl")
    assert len(read.blocks) > 5
    assert {next(key for key, value in record.items() if value) for record in read.good.values()} == {
        f"k{n}" for n in range(100)
    }


def test_verbatim_gives_the_line_less_what_a_report_added(reading: Reading) -> None:
    read = reading(b'{"_row":7,"a": 1.50,"b":"\\u00e5"}\n{"_x": 1}\n{"_row":\n', "a.jsonl")
    assert read.verbatim == {1: '{"a":1.50,"b":"\\u00e5"}', 2: '{"_x": 1}', 3: '{"_row":'}


texts = st.text(st.sampled_from('ab"\\{}[]:,-0 \n/é😀\ud800\0'), max_size=5)
scalars = st.one_of(texts, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False))
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.dictionaries(texts, scalars, max_size=1))
pairs = st.lists(st.tuples(st.one_of(st.sampled_from("ab"), texts), values), max_size=4)


def expected(pairs: list[tuple[str, Any]]) -> dict[str, Any] | None:
    """What a line says by the rules; None when it is no good record."""
    record = dict(pairs)
    flat = [item for value in record.values() for item in (value if isinstance(value, list) else [value])]
    texts = "".join([*record, *(item for item in flat if isinstance(item, str))])
    nested = any(isinstance(value, dict) or (isinstance(value, list) and None in value) for value in record.values())
    if len(record) < len(pairs) or nested or "\0" in texts or "\ud800" in texts:
        return None
    return {key: list(map(word, value)) if isinstance(value, list) else word(value) for key, value in record.items()}


def word(value: Any) -> str:
    return value if isinstance(value, str) else "#N/A" if value is None else json.dumps(value)


@given(
    lines=st.lists(pairs, min_size=1, max_size=6),
    block=st.sampled_from([1, 30, 1 << 20]),
    ascii_only=st.booleans(),
)
@settings(QUICK, max_examples=400)
def test_what_json_writes_is_read(
    reading: Reading, lines: list[list[tuple[str, Any]]], block: int, ascii_only: bool
) -> None:
    """Python's json module as the oracle for texts and digits, and the rules written once more."""

    def dump(value: Any) -> str:
        return json.dumps(value, ensure_ascii=ascii_only or "\\ud800" in json.dumps(value))

    data = "".join("{" + ",".join(f"{dump(key)}: {dump(value)}" for key, value in line) + "}\n" for line in lines)
    read = reading(data.encode(), "a.jsonl", block=block)
    wanted = {row: record for row, record in enumerate(map(expected, lines), 1) if record is not None}
    assert read.good.keys() == wanted.keys()
    for row, record in wanted.items():
        got = {key: value for key, value in read.good[row].items() if value is not None}
        lists = {key for key, value in got.items() if isinstance(value, list)}
        assert got == {key: as_list(value) if key in lists else value for key, value in record.items()}


def as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


@given(line=st.text(st.sampled_from('{}[]",:a1-0.eE \\ut'), max_size=14))
@settings(QUICK, max_examples=400)
def test_fast_and_strict_agree_on_any_line(reading: Reading, line: str) -> None:
    data = line.encode() + b"\n"
    alone = reading(b"{}\n" + data, "a.jsonl")
    beside = reading(b"{}\n" + data + b"{\n", "a.jsonl")
    assert beside.good == alone.good
    assert beside.bad == alone.bad | {alone.tally.records + 1: "row.json"}


def test_json_test_suite(reading: Reading, shared: Path) -> None:
    files = sorted((shared / "corpora/JSONTestSuite/test_parsing").glob("[yn]_*.json"))
    assert files
    for file in files:
        text = file.read_bytes()
        if not text.strip() or b"\n" in text.strip() or b"\r" in text.strip():
            continue
        data = b'{"a":' + text.strip(b"\n") + b"}\n"
        bad = {1: "file.encoding"}
        with suppress(BatchError):
            bad = reading(data, "a.jsonl").bad
        if file.name.startswith("y_"):
            assert bad.get(1) in (None, "row.nested", "row.duplicate_key", "row.nul", "row.surrogate"), file.name
        else:
            assert bad, file.name
