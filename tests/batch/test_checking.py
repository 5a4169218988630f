"""The check: every type and rule of the contract, what it makes of a value, and the code where it makes nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.records import a_group, block, checked, said

from batch.checking import Checker
from batch.errors import BatchError
from mappers.mapping import CLEARED

LONG = "x" * 250 + "@a.se"
Case = tuple[dict[str, Any], Any, Any]


def moment(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


INTEGER = {"type": "integer"}
NUMBER = {"type": "number"}
PHONE = {"type": "phone", "region": "SE"}
EMAIL = {"type": "email"}
BOOLEAN = {"type": "boolean"}
DATE = {"type": "date"}
SHORT_DATE = {"type": "date", "format": "%d/%m/%y"}
TIME = {"type": "datetime"}
LIST = {"type": "list"}
CHOICES = {"type": "list", "one_of": ["a", "b"], "matches": "^[a-z]$", "min_length": 2, "max_length": 3}

GOOD: list[Case] = [
    ({}, "00123", "00123"),
    ({}, " x ", " x "),
    ({}, "", ""),
    ({}, "=1+1", "=1+1"),
    ({}, ["one"], "one"),
    ({}, [], None),
    (INTEGER, "+5", 5),
    (INTEGER, "-0", 0),
    (INTEGER, "\u3000 7\u00a0", 7),
    (INTEGER, "0" * 40 + "1", 1),
    (INTEGER, "9223372036854775807", 2**63 - 1),
    (INTEGER, "-9223372036854775808", -(2**63)),
    (INTEGER, " ", None),
    (NUMBER, "5.", 5.0),
    (NUMBER, "-.5", -0.5),
    (NUMBER, "1E+5", 1e5),
    (NUMBER, "1e308", 1e308),
    (NUMBER, "100000000000000000000", 1e20),
    (NUMBER, "0.1000", 0.1),
    (NUMBER, "0e-999", 0.0),
    (BOOLEAN, "TRUE", True),
    (BOOLEAN, " Yes ", True),
    (BOOLEAN, "t", True),
    (BOOLEAN, "0", False),
    (BOOLEAN, "N", False),
    (EMAIL, " A@B.se ", "a@b.se"),
    (EMAIL, "\u00a0o'neil+tag@sub.example.co.uk\t", "o'neil+tag@sub.example.co.uk"),
    (EMAIL, "Åsa@ö.se", "åsa@ö.se"),
    (EMAIL, "a@b.xn--p1ai", "a@b.xn--p1ai"),
    (EMAIL, "\u2003", ""),
    (PHONE, "070-123 45 67", "+46701234567"),
    (PHONE, "+46 (0)70 123 45 67", "+46701234567"),
    (PHONE, "0046701234567", "+46701234567"),
    (PHONE, "+1 650-253-0000", "+16502530000"),
    (PHONE, "", ""),
    ({"type": "phone"}, "+46701234567", "+46701234567"),
    (DATE, " 2024-02-29 ", date(2024, 2, 29)),
    (DATE, "0001-01-01", date(1, 1, 1)),
    (DATE, "9999-12-31", date(9999, 12, 31)),
    (SHORT_DATE, "1/2/03", date(2003, 2, 1)),
    (TIME, "2026-11-23T02:00:00Z", moment(2026, 11, 23, 2)),
    (TIME, "2026-11-23 02:00:00+01:00", moment(2026, 11, 23, 1)),
    (TIME, "2026-11-23T02:00-0130", moment(2026, 11, 23, 3, 30)),
    (TIME, "2026-11-23T02:00:00.123456789z", moment(2026, 11, 23, 2, 0, 0, 123456)),
    ({"type": "datetime", "format": "%d.%m.%Y %H:%M %z"}, "1.2.2026 03:04 +0100", moment(2026, 2, 1, 2, 4)),
    (LIST, " a |b| |", ["a", "b"]),
    (LIST, "|", None),
    (LIST, ["a", None, " ", " b "], ["a", "b"]),
    (LIST, [], None),
    (LIST, ["#N/A", "b"], ["#N/A", "b"]),
    ({"one_of": ["web", 12]}, "12", "12"),
    ({"type": "email", "one_of": ["A@b.se"]}, "a@B.SE", "a@b.se"),
    ({"type": "integer", "one_of": [7]}, "007", 7),
    ({"type": "number", "one_of": [0.5]}, ".50", 0.5),
    ({"type": "integer", "min": 1.5, "max": 10**30}, "2", 2),
    ({"type": "number", "min": 0}, "0", 0.0),
    ({"type": "date", "min": date(2020, 1, 1), "max": date(2020, 1, 1)}, "2020-01-01", date(2020, 1, 1)),
    (
        {"type": "datetime", "min": datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=2)))},
        "2019-12-31T22:00:00Z",
        moment(2019, 12, 31, 22),
    ),
    ({"min_length": 2, "max_length": 2}, "å😀", "å😀"),
    ({"matches": "a"}, "bab", "bab"),
    (CHOICES, "a|b", ["a", "b"]),
    ({"matches": r"^\d{5}$", "min_length": 5, "one_of": ["12345"]}, "  ", "  "),
    (CHOICES, "", None),
    ({**INTEGER, "min": 5, "one_of": [7]}, "", None),
]


@pytest.mark.parametrize(("rules", "value", "meant"), GOOD)
def test_a_value_is_normalised(rules: dict[str, Any], value: Any, meant: Any) -> None:
    result = checked(a_group({"a": rules}), value)
    assert said(result.findings) == {}
    assert result.frame["a"].to_list() == [meant]
    assert type(result.frame["a"].to_list()[0]) is type(meant)


BAD: list[tuple[dict[str, Any], Any, set[str]]] = [
    ({"required": True}, None, {"required"}),
    ({"required": True}, "", {"required"}),
    ({"required": True}, " \t\u3000", {"required"}),
    ({"required": True}, "#N/A", {"required"}),
    ({**LIST, "required": True}, " | ", {"required"}),
    ({**LIST, "required": True}, ["#N/A"], {"required"}),
    ({**CHOICES, "required": True}, None, {"required"}),
    ({**PHONE, "required": True}, "", {"required"}),
    ({}, ["a", "b"], {"string.list"}),
    (INTEGER, ["1", "2"], {"string.list"}),
    *[
        (INTEGER, value, {"integer.format"})
        for value in ("5.0", "1e3", "1_0", "１２", "0x10", "1 000", "-", "--1", "1\n2")
    ],
    *[(INTEGER, value, {"integer.range"}) for value in ("9223372036854775808", "-9223372036854775809", "9" * 400)],
    *[
        (NUMBER, value, {"number.format"})
        for value in ("1,5", "1 000.5", "NaN", "inf", "1e", "0x10", "١", ".", "1.2.3")
    ],
    (NUMBER, "1e309", {"number.format"}),
    (NUMBER, "-1e99999999999999999999999", {"number.format"}),
    *[
        (NUMBER, value, {"number.precision"})
        for value in ("12345678901234567890", "0.12345678901234567890", "1e-400", "4e-324", "9007199254740993")
    ],
    *[(BOOLEAN, value, {"boolean.format"}) for value in ("on", "2", "ja", "tr", "truefalse")],
    *[
        (EMAIL, value, {"email.format"})
        for value in ("a@b", "a b@c.se", "a@b.se,c@d.se", "a..b@c.se", ".a@b.se", "a@-b.se", "a@b-.se", LONG, "@b.se")
    ],
    *[
        (EMAIL, value, {"email.format"})
        for value in ("a@b.se\u200b", "a@b.s", "a@1.2.3.4", "<a@b.se>", "a@b@c.se", "ö@ö")
    ],
    *[
        (PHONE, value, {"phone.format"})
        for value in ("+", "++", "070", "abc", "0701234567 Anna", "0701234567 ext 5", "0701234567/0709876543", "+46")
    ],
    ({"type": "phone"}, "0701234567", {"phone.format"}),
    *[
        (DATE, value, {"date.format"})
        for value in (
            "2026-02-30",
            "26-01-01",
            "0000-01-01",
            "2026-1-1",
            "2026-01-01T00:00:00",
            "+2026-01-01",
            "20260101",
        )
    ],
    *[(SHORT_DATE, value, {"date.format"}) for value in ("01/02/2003", "31/02/03", "2003-02-01")],
    ({"type": "date", "format": "%d/%m/%Y"}, "01/02/03", {"date.format"}),
    ({"type": "datetime", "format": "%d/%m/%Y %H:%M %z"}, "01/02/03 04:05 +0000", {"datetime.format"}),
    *[
        (TIME, value, {"datetime.format"})
        for value in ("2026-11-23T02:00:00", "2026-11-23", "2026-11-23T25:00:00Z", "0001-01-01T00:00:00+01:00", "now")
    ],
    ({**INTEGER, "min": 5}, "4", {"min"}),
    ({**INTEGER, "max": 5}, "6", {"max"}),
    ({**INTEGER, "min": 10**30}, "1", {"min"}),
    ({**NUMBER, "min": 0}, "-0.01", {"min"}),
    ({**DATE, "min": date(2020, 1, 1)}, "2019-12-31", {"min"}),
    ({**TIME, "max": date(2020, 1, 1)}, "2020-01-01T00:00:01Z", {"max"}),
    ({"min_length": 3}, "å😀", {"min_length"}),
    ({"max_length": 1}, "å😀", {"max_length"}),
    ({"matches": r"^\d{5}$"}, "1234", {"matches"}),
    ({"matches": r"^\d{5}$"}, "12345\n", {"matches"}),
    ({**EMAIL, "matches": "@b.se$"}, "A@C.SE", {"matches"}),
    ({**PHONE, "matches": r"^\+46"}, "+16502530000", {"matches"}),
    ({"one_of": ["web", "app"]}, "Web", {"one_of"}),
    ({**INTEGER, "one_of": [7]}, "8", {"one_of"}),
    ({**NUMBER, "one_of": [0.5]}, "0.6", {"one_of"}),
    (CHOICES, "a", {"min_length"}),
    (CHOICES, "a|a|a|a", {"max_length"}),
    (CHOICES, "a|c", {"one_of"}),
    (CHOICES, "c1", {"min_length", "matches", "one_of"}),
    ({**INTEGER, "min": 5, "one_of": [7]}, "x", {"integer.format"}),
    ({**DATE, "min": date(2020, 1, 1)}, "soon", {"date.format"}),
]


@pytest.mark.parametrize(("rules", "value", "codes"), BAD)
def test_a_broken_rule_has_its_code(rules: dict[str, Any], value: Any, codes: set[str]) -> None:
    result = checked(a_group({"a": rules}), value)
    assert set(said(result.findings)) == {(code, "a") for code in codes}
    assert result.frame.is_empty()


@pytest.mark.parametrize(("rules", "value", "codes"), BAD)
def test_a_message_says_the_column_and_not_the_value(rules: dict[str, Any], value: Any, codes: set[str]) -> None:
    for finding in checked(a_group({"a": rules}), value).findings:
        assert finding.message.startswith("a ")
        assert not isinstance(value, str) or len(value.strip()) < 3 or value not in finding.message


def test_good_and_bad_values_of_one_type_in_one_block_are_told_apart() -> None:
    table = [(rules, value, {("", "")}) for rules, value, _ in GOOD] + [(r, v, c) for r, v, c in BAD]  # type: ignore[misc]
    for rules in (
        one for index, (one, _, _) in enumerate(table) if one not in [other for other, _, _ in table[:index]]
    ):
        own = [(value, codes) for other, value, codes in table if other == rules]
        if len({isinstance(value, list) for value, _ in own}) > 1:
            continue
        together = checked(a_group({"a": rules}), *(value for value, _ in own)).findings
        expected: dict[tuple[str, str | None], list[int]] = {}
        for row, (_, codes) in enumerate(own, start=1):
            for code in codes:
                if isinstance(code, str):
                    expected.setdefault((code, "a"), []).append(row)
        assert said(together) == expected


NAMES = ["item", "value", "identity", "index", "check", "column", "failure_case", "literal", "len", "first name", "a.b"]
ODD_NAMES = [
    *NAMES,
    "a.*",
    'q"r',
    "é😀",
    "hash 1",
    "row",
    "schema_context",
    " x ",
    "select",
    "a\u00a0b",
    "{}",
    "\\d",
    "^a",
    "a$",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_attributes_may_be_named_oddly(name: str) -> None:
    group = a_group({name: {"type": "integer", "required": True, "unique": True, "min": 0}, "other": {}})
    checker = Checker(group, [f"{name}2"])
    frame = block(**{name: ["1", "x", None, "01", "-1"], "other": ["#N/A"] * 5, f"{name}2": ["t"] * 5})
    result = checker.check(frame)
    assert said(result.findings) == {("integer.format", name): [2], ("required", name): [3], ("min", name): [5]}
    assert result.frame.rows(named=True)[0] == {
        "_row": 1, name: 1, "other": None, f"{name}2": "t", CLEARED + "other": True
    }  # fmt: skip
    assert said(checker.finish()) == {("unique", name): [4]}


def test_the_clear_token_is_remembered_and_breaks_no_rule() -> None:
    group = a_group({"a": {"type": "integer", "min": 5}, "l": {"type": "list", "min_length": 3}}, files={"clear": "-"})
    result = Checker(group, ["m"]).check(block(a=["-", "7"], l=["-", None], m=["-", "x"]))
    assert said(result.findings) == {}
    assert result.frame["a"].to_list() == [None, 7]
    assert result.frame["m"].to_list() == [None, "x"]
    for name in ("a", "l", "m"):
        assert result.frame[CLEARED + name].to_list() == [True, False]


def test_without_a_clear_token_there_is_no_trace_of_one() -> None:
    assert Checker(a_group({"a": {}})).check(block(a=["x", None])).frame.columns == ["_row", "a"]


def test_an_attribute_that_is_not_declared_is_text() -> None:
    result = Checker(a_group({}), ["u", "gone"]).check(block(u=[["00", None, "b"], ["c"], None]))
    assert result.frame["u"].to_list() == ["00|b", "c", None]
    assert result.frame["gone"].to_list() == [None, None, None]
    assert result.frame["gone"].dtype == pl.String


def test_columns_that_nobody_looks_at_are_left_out() -> None:
    assert Checker(a_group({"a": {}})).check(block(a=["x"], b=["y"])).frame.columns == ["_row", "a"]


def test_unknown_attributes_can_be_refused() -> None:
    group = a_group({"a": {}}, unknown_attributes="reject")
    result = Checker(group).check(block(a=["x", "y"], b=["1", None], c=[None, ["z"]]))
    assert said(result.findings) == {("row.column.unknown", "b"): [1], ("row.column.unknown", "c"): [2]}
    with pytest.raises(BatchError, match="knows no attribute `b`") as error:
        Checker(group).check_header(["a", "b"])
    assert error.value.code == "file.header.unknown"
    with pytest.raises(BatchError, match="knows none of the columns"):
        Checker(group).check_header(["Ada", "b"])


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (["namn"], "the header has no column `epost`, which the group requires; it has `namn`"),
        (["Epost "], "`Epost ` is not `epost`"),
        (["epost;namn"], "divided by ';'"),
        (["epost\tnamn"], "divided by"),
        (["epost|namn"], "divided by '|'"),
        (["ada@example.com", "Ada"], "it has none that the group knows: is the header line missing?"),
    ],
)
def test_a_missing_required_column_refuses_the_file(header: list[str], words: str) -> None:
    with pytest.raises(BatchError) as error:
        Checker(a_group({"epost": {"required": True}, "namn": {}})).check_header(header)
    assert error.value.code == "file.header.missing"
    assert words in error.value.message


def test_a_header_needs_only_what_is_required() -> None:
    Checker(a_group({"epost": {"required": True}, "namn": {}})).check_header(["extra", "epost"])


@pytest.mark.parametrize("of", ["string", "email", "phone", "integer", "number", "boolean", "date", "datetime", "list"])
def test_blocks_with_nothing_in_them(of: str) -> None:
    checker = Checker(a_group({"a": {"type": of}}))
    for frame in (block(a=[]), block(a=[None, None]), block(a=["", "  "]), block(b=["x"]), block(a=[[], None])):
        result = checker.check(frame)
        assert said(result.findings) == {}
        assert result.frame.height == frame.height
        assert result.frame.schema["a"] == Checker(a_group({"a": {"type": of}})).check(block(a=["1"])).frame.schema["a"]


UNIQUE = {
    "string": ["a", "A", " a", "", "  ", None, "#N/A"],
    "email": ["a@b.se", " A@b.se", "c@b.se", "", None],
    "phone": ["0701234567", "+46701234567", "0709876543", " ", None],
    "integer": ["1", "01", "+1", "2", None, "x"],
}


@pytest.mark.parametrize("of", UNIQUE)
@given(data=st.data())
def test_a_unique_value_stands_in_one_row_whatever_the_blocks(of: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.sampled_from(UNIQUE[of]), max_size=12))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=4)))
    group = a_group({"a": {"type": of, "unique": True, **({"region": "SE"} if of == "phone" else {})}})
    checker = Checker(group)
    seen: set[Any] = set()
    again: list[int] = []
    for start, end in zip([0, *cuts], [*cuts, len(values)], strict=True):
        frame = checker.check(block(start + 1, a=values[start:end])).frame
        for row, value in frame.select("_row", "a").iter_rows():
            if value is None or not str(value).strip():
                continue
            if value in seen:
                again.append(row)
            seen.add(value)
    assert said(checker.finish()) == ({("unique", "a"): again} if again else {})


def test_a_row_that_breaks_another_rule_does_not_take_a_unique_value() -> None:
    checker = Checker(a_group({"a": {"unique": True}, "b": {"type": "integer"}}))
    checker.check(block(a=["q", "q"], b=["x", "1"]))
    assert said(checker.finish()) == {}


@given(st.lists(st.tuples(*[st.sampled_from([None, "", "x", "1", "a@b.se", "#N/A"])] * 3), max_size=20))
def test_every_row_comes_out_once(rows: list[tuple[str | None, ...]]) -> None:
    checker = Checker(
        a_group({"i": {"type": "integer", "required": True}, "e": {"type": "email"}, "l": {"type": "list"}})
    )
    i, e, lists = zip(*rows, strict=True) if rows else ((), (), ())
    result = checker.check(block(i=i, e=e, l=lists))
    bad = {row for rows in said(result.findings).values() for row in rows}
    assert sorted([*result.frame["_row"], *bad]) == list(range(1, len(rows) + 1))
    assert bad == {row for row, (i, e, _) in enumerate(rows, 1) if i != "1" or e in ("x", "1")}


MIXED: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "e": ({"type": "email", "required": True}, ["a@b.se", " A@B.se ", "ö@b.se", "x", "", None, "#N/A"]),
    "p": ({"type": "phone", "region": "SE"}, ["070-123 45 67", "+46701234567", "070", " ", None]),
    "i": ({"type": "integer", "min": 2}, ["1", "+2", "9" * 20, "1.0", None]),
    "n": ({"type": "number", "max": 9}, ["0.1", "12345678901234567890", "1e309", "4e-324", "10", "-", None]),
    "b": ({"type": "boolean"}, ["yes", "F", "?", None]),
    "d": ({"type": "date"}, ["2026-11-23", "0000-01-01", "2026-1-5", "+2026-01-05", "", None]),
    "t": ({"type": "datetime"}, ["2026-11-23T02:00:00Z", "2026-11-23", None]),
    "l": ({"type": "list", "max_length": 1}, ["a", " a |", "a|b", "|", "", None, "#N/A"]),
    "s": ({"matches": "^x", "one_of": ["x", "xy", " "]}, ["x", "xy", "xyz", " ", None, "#N/A"]),
}


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_record_is_checked_alike_whatever_block_it_comes_in(data: st.DataObject) -> None:
    group = a_group({name: rules for name, (rules, _) in MIXED.items()})
    records = data.draw(st.lists(st.fixed_dictionaries({n: st.sampled_from(few) for n, (_, few) in MIXED.items()})))
    frame = block(**{name: [record[name] for record in records] for name in MIXED})
    cuts = sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=4)))
    parts = [frame[start:end] for start, end in zip([0, *cuts], [*cuts, len(records)], strict=True)]
    whole, pieces = Checker(group).check(frame), [Checker(group).check(part) for part in parts]
    together: dict[tuple[str, str | None], list[int]] = {}
    for piece in pieces:
        for key, rows in said(piece.findings).items():
            together.setdefault(key, []).extend(rows)
    assert said(whole.findings) == together
    assert meant(whole.frame) == [record for piece in pieces for record in meant(piece.frame)]


def meant(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return records without the marks of the clear token where it is not."""
    rows = frame.rows(named=True)
    return [{name: value for name, value in row.items() if value or CLEARED not in name} for row in rows]
