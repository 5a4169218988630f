"""Mappings: what is sent, what is not, what is cleared; and that a failing expression is one row's affair."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.records import mapped, mapping, problems, typed

from mappers.mapping import CLEARED, apply


@pytest.mark.parametrize("blank", [None, "", " ", "\t\u3000\u00a0"])
def test_a_blank_text_is_not_sent(blank: str | None) -> None:
    assert mapped({"a": "name"}, {"name": blank}, {"name": " x "}).values["a"].to_list() == [None, " x "]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("tags", None),
        ("string_to_array(name, ',')", ["a", "b"]),
        ("ARRAY['', ' ']", None),
        ("ARRAY[1, 2]", [1, 2]),
        ("ARRAY['k', '', 'l']", ["k", "l"]),
    ],
)
def test_blank_items_and_empty_lists_are_not_sent(sql: str, value: Any) -> None:
    record = {"name": "a,, ,b", "tags": [None, " "]}
    assert mapped({"a": sql}, record).values["a"].to_list() == [value]


def test_where_leaves_out_what_is_false_or_null() -> None:
    outcome = mapped({"a": "name"}, {"name": "x", "yes": True}, {"name": "y", "yes": False}, {"name": "z"}, where="yes")
    assert outcome.values.rows() == [(1, "x")]
    assert outcome.filtered.to_list() == [2, 3]
    assert outcome.problems == []


@pytest.mark.parametrize(("where", "kept"), [("true", [1, 2]), ("NULL", []), ("1 = 2", []), ("count = 2", [2])])
def test_where_may_be_any_condition(where: str, kept: list[int]) -> None:
    assert mapped({"a": "count"}, {"count": 1}, {"count": 2}, where=where).values["_row"].to_list() == kept


def test_where_that_fails_is_the_rows_problem() -> None:
    records = [{"name": "1"}, {"name": "secret"}, {"name": "0"}]
    outcome = mapped({"a": "name"}, *records, where="CAST(name AS INTEGER) > 0")
    assert outcome.values.rows() == [(1, "1")]
    assert outcome.filtered.to_list() == [3]
    assert problems(outcome) == [("mapping.failed", None, [2])]
    assert "secret" not in outcome.problems[0].message


def test_an_expression_that_fails_is_the_rows_problem_and_every_problem_is_told() -> None:
    fields = {"a": "CAST(name AS INTEGER)", "b": "CAST(other AS INTEGER)", "c": "'k'"}
    records = [{"name": "1", "other": "2"}, {"name": "x", "other": "3"}, {"name": "x", "other": "x"}, {}]
    outcome = mapped(fields, *records)
    assert outcome.values.rows() == [(1, 1, 2, "k"), (4, None, None, "k")]
    assert problems(outcome) == [("mapping.failed", "a", [2, 3]), ("mapping.failed", "b", [3])]


def test_a_guard_does_not_save_a_row_but_try_cast_does() -> None:
    records = [{"name": "1"}, {"name": "x"}]
    assert mapped({"a": "TRY_CAST(name AS INTEGER)"}, *records).values["a"].to_list() == [1, None]


@given(st.lists(st.sampled_from(["1", "22", "x", "", None, "9" * 30]), max_size=40))
def test_only_the_rows_that_fail_fail(texts: list[str | None]) -> None:
    outcome = mapped({"a": "CAST(name AS BIGINT) + 1", "b": "name"}, *({"name": text} for text in texts))
    bad = [row for row, text in enumerate(texts, 1) if text in ("x", "", "9" * 30)]
    assert problems(outcome) == ([("mapping.failed", "a", bad)] if bad else [])
    good = [(row, int(text) + 1 if text else None, text) for row, text in enumerate(texts, 1) if row not in bad]
    assert outcome.values.rows() == good


@pytest.mark.parametrize(
    "sql", ["count / 0", "ln(0 * sum)", "sqrt(0 - sum)", "CAST('nan' AS DOUBLE)", "sum * 1e308 * 10"]
)
@pytest.mark.parametrize("as_text", [False, True])
def test_a_number_that_json_cannot_hold_is_the_rows_problem(sql: str, as_text: bool) -> None:
    outcome = mapped({"a": sql}, {"count": 1, "sum": 1.0}, as_text=as_text)
    assert problems(outcome) == [("mapping.type", "a", [1])]
    assert outcome.values.is_empty()


def test_a_required_field_that_comes_out_empty_is_the_rows_problem() -> None:
    records = [{"name": "x"}, {"name": " "}, {}, {"name": "#N/A", CLEARED + "name": True}]
    outcome = apply(mapping({"a": "nullif(name, '#N/A')"}, required=True, clear='""'), typed(*records))
    assert outcome.values["_row"].to_list() == [1]
    assert problems(outcome) == [("mapping.required", "a", [2, 3, 4])]
    assert all(len(where) == outcome.values.height for where in outcome.cleared.values())


def test_a_field_is_cleared_where_all_that_it_is_made_of_is_cleared() -> None:
    records = [
        {CLEARED + "name": True, CLEARED + "other": True},
        {CLEARED + "name": True, CLEARED + "other": False},
        {CLEARED + "name": False, CLEARED + "other": False},
        {CLEARED + "name": True, CLEARED + "other": True, "name": "kept"},
    ]
    fields = {"one": "name", "both": "coalesce(name, other)", "constant": "'k'", "default": "coalesce(name, 'd')"}
    outcome = apply(mapping(fields, clear="null"), typed(*records))
    assert {name: where.to_list() for name, where in outcome.cleared.items()} == {
        "one": [True, True, False, False], "both": [True, False, False, False]
    }  # fmt: skip


def test_a_field_that_cannot_be_cleared_is_not_sent() -> None:
    assert mapped({"a": "name"}, {CLEARED + "name": True}).cleared == {}


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("count", "5"),
        ("sum", "1.5"),
        ("sum * 2", "3"),
        ("sum * 1e300", "1.5e+300"),
        ("yes", "true"),
        ("born", "2020-01-02"),
        ("CAST(count AS DECIMAL(10,2))", "5.00"),
        ("TIMESTAMP '2020-01-02 03:04:05'", "2020-01-02T03:04:05+00:00"),
        ("tags", ["b"]),
        ("NULL", None),
        ("name", "x"),
    ],
)
def test_any_value_as_text(sql: str, text: Any) -> None:
    from datetime import date

    record = {"count": 5, "sum": 1.5, "yes": True, "born": date(2020, 1, 2), "tags": ["b"], "name": "x"}
    assert mapped({"a": sql}, record, as_text=True).values["a"].to_list() == [text]


FIELDS = {
    "a": "CAST(name AS INTEGER)",
    "b": "sum / count",
    "c": "'k'",
    "d": "tags",
    "e": "NULL",
    "f": "seen",
    "g": "gone",
}


@pytest.mark.parametrize("where", [None, "yes", "false", "CAST(name AS INTEGER) > 0"])
@pytest.mark.parametrize("options", [{}, {"as_text": True}, {"required": True}, {"clear": "null"}])
def test_nothing_comes_of_no_records(where: str | None, options: dict[str, Any]) -> None:
    outcome = apply(mapping(FIELDS, where, **options), typed())
    assert outcome.values.is_empty()
    assert outcome.values.columns == ["_row", *FIELDS]
    assert outcome.filtered.is_empty()
    assert outcome.problems == []


def test_every_record_comes_out_once() -> None:
    records = [{"name": name, "yes": yes} for name in ("1", "x", None) for yes in (True, False)]
    outcome = apply(mapping({"a": "CAST(name AS INTEGER)"}, "yes", required=True), typed(*records))
    rows = [*outcome.values["_row"], *outcome.filtered, *(row for _, _, bad in problems(outcome) for row in bad)]
    assert sorted(rows) == [1, 2, 3, 4, 5, 6]


NAMES = ["value", "item", "identity", "literal", "len", "name", "a.b", "a b", 'q"r', "\\", "é😀", "^a", "index", " "]


def test_fields_may_be_named_oddly() -> None:
    outcome = mapped(dict.fromkeys(NAMES, "CAST(name AS INTEGER)"), {"name": "1"}, {"name": "x"})
    assert outcome.values.rows(named=True) == [{"_row": 1, **dict.fromkeys(NAMES, 1)}]
    assert problems(outcome) == [("mapping.failed", name, [2]) for name in NAMES]


def test_an_attribute_without_any_value_keeps_its_type() -> None:
    outcome = mapped({"a": "upper(name) || gone", "b": "count + 1", "c": "array_length(tags)"}, {}, {})
    assert outcome.values.drop("_row").null_count().row(0) == (2, 2, 2)
    assert outcome.values.schema["a"] == pl.String


def test_a_whole_number_beyond_64_bits_makes_its_row_invalid() -> None:
    done = mapped({"a": "count * 4"}, {"count": 2**62}, {"count": 3})
    assert problems(done) == [("mapping.failed", "a", [1])]
    assert done.values["a"].to_list() == [12]


def test_an_item_that_holds_the_destinations_separator_would_become_two_and_is_invalid() -> None:
    done = mapped({"a": "tags"}, {"tags": ["x;y", "z"]}, {"tags": ["x", "y"]}, {}, {"tags": ["x", None]}, separator=";")
    assert problems(done) == [("mapping.type", "a", [1])]
    assert done.values["a"].to_list() == [["x", "y"], None, ["x"]]
