"""Planning: every record of a block is either settled or to be sent, within the destination's limits."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.records import ATTRIBUTES, a_group, said, typed

from batch.chunk import ChunkState
from batch.outcome import Outcome
from batch.planning import Plan, planner
from integrations.integration import Limits

DECLARED = {name: one.model_dump(exclude_defaults=True) for name, one in ATTRIBUTES.items()}


def plan(mapping: dict[str, str], *records: dict[str, Any], size: int | None = None, **more: Any) -> Plan:
    one = planner(a_group(DECLARED, mapping, **more), "webhook")
    return (replace(one, limits=Limits(500, size, 10, 1)) if size else one).plan(typed(*records))


@given(st.lists(st.fixed_dictionaries({"name": st.sampled_from(["1", "x", None, "9" * 99]), "yes": st.booleans()})))
def test_every_record_is_in_the_plan_once(records: list[dict[str, Any]]) -> None:
    made = plan({"a": "CAST(name AS DOUBLE)", "n": "name"}, *records, where="yes", size=80)
    settled = [] if made.settled is None else made.settled.rows.tolist()
    assert sorted([*made.parcel.rows.tolist(), *settled]) == list(range(1, len(records) + 1))
    expected = [
        (row, {"a": 1.0, "n": "1"} if record["name"] else {})
        for row, record in enumerate(records, 1)
        if record["yes"] and record["name"] in ("1", None)
    ]
    assert [
        (row, json.loads(item)) for row, item in zip(made.parcel.rows.tolist(), made.parcel.items, strict=True)
    ] == expected
    if made.settled is not None:
        assert (made.settled.state, made.settled.outcome, made.settled.key) == (
            ChunkState.CLOSED,
            Outcome.FILTERED,
            None,
        )
        bad = {row for rows in said(made.settled.findings).values() for row in rows}
        assert set(settled) - bad == {row for row, record in enumerate(records, 1) if not record["yes"]}


def test_a_record_that_fits_no_request_is_invalid_and_the_limit_counts_bytes() -> None:
    one = planner(a_group(DECLARED, {"a": "name"}), "webhook")
    room = 40 - one.around
    fitting = "å" * ((room - len('{"a":""}')) // 2)
    made = replace(one, limits=Limits(500, 40, 10, 1)).plan(typed({"name": fitting}, {"name": fitting + "åå"}))
    assert made.parcel.rows.tolist() == [1]
    assert made.settled is not None
    assert said(made.settled.findings) == {("mapping.size", None): [2]}


@pytest.mark.parametrize("count", [0, 1, 7])
def test_requests_keep_to_the_limits(count: int) -> None:
    one = planner(a_group(DECLARED, {"a": "name"}, settings={"batch_size": 3}), "webhook")
    made = one.plan(typed(*({"name": "å😀" * 5} for _ in range(count))))
    small = replace(one, limits=replace(one.limits, bytes=150))
    for planned in (one, small):
        parts = list(planned.requests(made.parcel))
        assert [row for part in parts for row in part.rows.tolist()] == list(range(1, count + 1))
        for part in parts:
            body = planned.integration.envelope.replace("ITEMS", part.text.decode()).encode()
            assert len(part) <= 3
            assert len(body) <= planned.limits.bytes


def test_identities_are_compared_without_case() -> None:
    settings = {"list_id": "a1b2c3d4e5", "base_url": "https://us1.api.mailchimp.com/3.0"}
    mailchimp = {
        "type": "mailchimp", "credentials": {"api_key": "env:KEY"}, "settings": settings,
        "mapping": {"email_address": "name", "tags": "tags"},
    }  # fmt: skip
    one = planner(a_group(DECLARED, integrations={"m": mailchimp}), "m")
    made = one.plan(typed({"name": "A@b.se"}, {"name": " "}, {"name": "a@B.se"}))
    assert made.parcel.identities is not None
    assert made.parcel.identities.to_list() == ["a@b.se"]
    assert made.settled is not None
    assert said(made.settled.findings) == {("mapping.required", "email_address"): [2]}
    for records in ([], [{}], [{"name": " "}]):
        made = one.plan(typed(*records))
        assert len(made.parcel) == 0
        assert made.parcel.identities is not None
        assert made.parcel.identities.dtype == pl.String


def test_ids_that_differ_in_case_are_two_persons() -> None:
    braze = {
        "type": "braze", "credentials": {"api_key": "env:KEY"}, "settings": {"base_url": "https://rest.example"},
        "mapping": {"external_id": "name", "first_name": "count"},
    }  # fmt: skip
    one = planner(a_group(DECLARED, integrations={"b": braze}), "b")
    made = one.plan(typed({"name": "0015aB"}, {"name": "0015AB"}, {"name": "0015aB", "count": 7}))
    assert [json.loads(item)["external_id"] for item in made.parcel.items] == ["0015AB", "0015aB"]
    assert made.parcel.by_row.tolist() == [1, 0, 1]


def test_an_identity_that_is_always_null_leaves_nothing_to_send() -> None:
    hubspot = {"type": "hubspot", "credentials": {"access_token": "env:T"}, "mapping": {"email": "NULL", "a": "name"}}
    made = planner(a_group(DECLARED, integrations={"h": hubspot}), "h").plan(typed({"name": "x"}))
    assert len(made.parcel) == 0
    assert made.settled is not None
    assert said(made.settled.findings) == {("mapping.required", "email"): [1]}
