"""Merging against a plain reading of it: records applied one after the other."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from mappers.expression import ROW
from mappers.mapping import Mapped
from mappers.merging import merge

TEXT = st.sampled_from([None, "a", "b"])
ITEMS = st.none() | st.lists(st.sampled_from("xyz"), min_size=1, max_size=3)
RECORDS = st.lists(
    st.tuples(st.sampled_from("pqr"), TEXT, st.booleans(), ITEMS, ITEMS, st.none() | st.integers(0, 3)),
    min_size=1,
    max_size=12,
)


@given(RECORDS)
def test_a_merged_record_is_what_its_parts_would_have_made_of_a_contact(records: list[tuple[Any, ...]]) -> None:
    people, names, cleared, tags, likes, counts = (list(column) for column in zip(*records, strict=True))
    cleared = [asked and name is None for asked, name in zip(cleared, names, strict=True)]
    values = pl.DataFrame(
        {
            ROW: pl.Series(range(2, 2 + len(records)), dtype=pl.Int64),
            "name": pl.Series(names, dtype=pl.String),
            "tags": pl.Series(tags, dtype=pl.List(pl.String)),
            "likes": pl.Series(likes, dtype=pl.List(pl.String)),
            "count": pl.Series(counts, dtype=pl.Int64),
        }
    )
    mapped = Mapped(values[ROW].clear(), [], values, {"name": pl.Series("name", cleared)})
    merged, places = merge(mapped, pl.Series(people), ["tags", "elsewhere"])
    contacts: dict[str, dict[str, Any]] = {}
    for number, (person, name, _, tag, like, count) in enumerate(records):
        contact = contacts.setdefault(
            person, {"name": None, "tags": None, "likes": None, "count": None, "cleared": False}
        )
        if cleared[number]:
            contact |= {"name": None, "cleared": True}
        elif name is not None:
            contact |= {"name": name, "cleared": False}
        if tag:
            contact["tags"] = list(dict.fromkeys([*(contact["tags"] or []), *tag]))
        contact |= {key: value for key, value in (("likes", like), ("count", count)) if value is not None}
        contact["row"] = number + 2
    expected = sorted(contacts.values(), key=lambda one: one["row"])
    lines = merged.values.with_columns(cleared=merged.cleared["name"]).rename({ROW: "row"}).to_dicts()
    assert lines == expected
    order = sorted(contacts, key=lambda person: contacts[person]["row"])
    assert places.tolist() == [order.index(person) for person in people]
    assert merged.values.columns == values.columns
