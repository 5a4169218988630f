"""Items: each record's JSON is what a plain reading of the mapping gives, whatever else stands in the block."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.records import mapped, mapping, typed

from mappers.items import Layout, encode
from mappers.mapping import CLEARED, apply

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
CLEAR = object()
WHITE = "".join(filter(str.isspace, map(chr, range(0x3001)))).translate(dict.fromkeys(range(0x1C, 0x20)))
"""White space by Unicode; Python counts four separators of ASCII among it, which are characters to others."""


def or_nothing(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.just(CLEAR) | values


RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "name": or_nothing(TEXT),
            "count": or_nothing(st.integers(-(2**63), 2**63 - 1)),
            "sum": or_nothing(st.floats(allow_nan=False, allow_infinity=False)),
            "yes": or_nothing(st.booleans()),
            "tags": or_nothing(st.lists(TEXT, min_size=1, max_size=3)),
        }
    ),
    max_size=6,
)
FIELDS = {
    "n": "name",
    "deep.count": "count",
    "deep.er.sum": "sum",
    'odd "key"\n': "yes",
    "deep.tags": "tags",
    "k": "'k'",
}
CLEARS = {"n": '""', "deep.count": "null", 'odd "key"\n': "null"}


def frame(records: list[dict[str, Any]]) -> Any:
    flags = {name: any(record[name] is CLEAR for record in records) for name in (records[0] if records else ())}
    return typed(
        *(
            {name: None if value is CLEAR else value for name, value in record.items()}
            | {CLEARED + name: record[name] is CLEAR for name, some in flags.items() if some}
            for record in records
        )
    )


def items(records: list[dict[str, Any]], layout: Layout = Layout()) -> list[str]:  # noqa: B008
    plan = mapping(FIELDS)
    targets = tuple(type(one)(one.name, one.expression, clear=CLEARS.get(one.name)) for one in plan.targets)
    return encode(apply(type(plan)(targets), frame(records)), CLEARS, layout).to_list()


def plainly(record: dict[str, Any]) -> dict[str, Any]:
    """What FIELDS means, in the plainest words."""
    item: dict[str, Any] = {}
    for place, attribute in FIELDS.items():
        value = record.get(attribute, "k")
        if value is CLEAR and place in CLEARS:
            value = json.loads(CLEARS[place])
        elif value is None or value is CLEAR or (isinstance(value, str) and not value.strip(WHITE)):
            continue
        elif isinstance(value, list):
            value = [text for text in value if text.strip(WHITE)]
            if not value:
                continue
        *way, key = place.split(".")
        inside = item
        for step in way:
            inside = inside.setdefault(step, {})
        inside[key] = value
    return item


@given(RECORDS)
def test_an_item_is_what_the_mapping_means(records: list[dict[str, Any]]) -> None:
    made = [json.loads(item) for item in items(records)]
    assert made == [plainly(record) for record in records]
    for item in made:
        assert list(item) == [key for key in ("n", "deep", 'odd "key"\n', "k") if key in item], (
            "members keep their order"
        )


@given(RECORDS)
def test_equal_records_give_equal_bytes_whatever_else_is_in_the_block(records: list[dict[str, Any]]) -> None:
    together = items(records)
    assert together == [items([record])[0] for record in records]
    assert together + together == items(records + records)


@given(RECORDS)
def test_where_every_value_is_text(records: list[dict[str, Any]]) -> None:
    layout = Layout(under="properties", text_only=True, list_separator=";", always={"idProperty": "email", "n": 1})
    for item, record in zip(items(records, layout), records, strict=True):
        made, leaves = json.loads(item), []
        assert {name: made[name] for name in ("idProperty", "n")} == {"idProperty": "email", "n": 1}
        stack = [made["properties"]]
        while stack:
            for key, value in stack.pop().items():
                (stack if isinstance(value, dict) else leaves).append(
                    value if isinstance(value, dict) else (key, value)
                )
        assert all(value is None or isinstance(value, str) for _, value in leaves)
        told, plain = dict(leaves), plainly(record)
        deep = plain.get("deep", {})
        if deep.get("count") is not None:
            assert told["count"] == str(deep["count"])
        if "sum" in deep.get("er", {}):
            assert float(told["sum"]) == deep["er"]["sum"]
            assert not told["sum"].endswith(".0")
        if "tags" in deep:
            assert told["tags"] == ";".join(deep["tags"])


def one(fields: dict[str, str], record: dict[str, Any], layout: Layout = Layout(), **more: Any) -> str:  # noqa: B008
    return encode(mapped(fields, record, **more), {}, layout).item()  # type: ignore[no-any-return]


def test_a_record_with_nothing_to_send_is_an_empty_object() -> None:
    assert one({"a.b": "name", "c": "count"}, {}) == "{}"
    assert one({"a": "name"}, {}, Layout(always={"x": 1})) == '{"x":1}'


def test_constants_and_repeated_fields_come_first() -> None:
    layout = Layout(under="p", also={"id": "a", "trace.id": "a"}, always={"t": 'é"', "yes": True})
    assert one({"a": "name", "b": "count"}, {"name": "x", "count": 1}, layout) == (
        '{"id":"x","trace":{"id":"x"},"t":"é\\"","yes":true,"p":{"a":"x","b":1}}'
    )


def test_a_field_cannot_hold_fields_and_a_value() -> None:
    with pytest.raises(TypeError, match=r"a\.b: a is a field of its own"):
        one({"a": "name", "a.b": "count"}, {"name": "x", "count": 1})


def test_dates_and_times_are_iso() -> None:
    from datetime import UTC, date, datetime

    record = {"born": date(2020, 1, 2), "seen": datetime(2020, 1, 2, 3, 4, 5, 600, tzinfo=UTC)}
    for options in ({}, {"as_text": True}):
        made = json.loads(one({"b": "born", "s": "seen"}, record, **options))
        assert made["b"] == "2020-01-02"
        assert datetime.fromisoformat(made["s"]) == record["seen"]


@pytest.mark.parametrize(
    "number", [1e300, 1e16, -0.0, 5e-324, 0.1, 1e-7, 2.0**53, 1e22, 123456789012.0, 1.7976931348623157e308]
)
def test_numbers_keep_every_digit(number: float) -> None:
    assert json.loads(one({"a": "sum"}, {"sum": number}))["a"] == number
    assert float(json.loads(one({"a": "sum"}, {"sum": number}, as_text=True))["a"]) == number


def test_decimals_are_numbers() -> None:
    assert json.loads(one({"a": "CAST(count AS DECIMAL(10,2)) / 4"}, {"count": 5})) == {"a": 1.25}


def test_no_records_give_no_items() -> None:
    assert encode(mapped(FIELDS), CLEARS, Layout(under="p", always={"a": 1})).to_list() == []
