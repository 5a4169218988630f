"""One way: a record that comes by the API meets the check and the mappings that the same row of a file meets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from api.envelope import opened
from batch.examination import examine
from batch.planning import planner
from batch.spool import Spool
from batch.vetting import Vetter
from config.group import Group

ATTRIBUTES: Mapping[str, Mapping[str, Any]] = {
    "email": {"type": "email", "required": True, "unique": True},
    "name": {"type": "string", "max_length": 12},
    "code": {"type": "string", "matches": "^[0-9a-f]*$"},
    "phone": {"type": "phone", "region": "SE"},
    "count": {"type": "integer", "min": -5},
    "amount": {"type": "number", "max": 1e6},
    "consent": {"type": "boolean"},
    "born": {"type": "date"},
    "seen": {"type": "datetime"},
    "tags": {"type": "list", "max_length": 3},
    "source": {"one_of": ["web", "store"]},
}
"""An attribute of every type, with rules; `free` and `more` are in the records besides, and not listed."""

GROUP = Group.model_validate(
    {
        "group_key": "abc",
        "attributes": ATTRIBUTES,
        "integrations": {
            "newsletter": {
                "type": "mailchimp",
                "credentials": {"api_key": "env:A"},
                "settings": {"list_id": "a1", "base_url": "http://127.0.0.1:9"},
                "where": "coalesce(consent, true)",
                "mapping": {
                    "email_address": "email",
                    "status_if_new": "'subscribed'",
                    "merge_fields.NAME": "name",
                    "merge_fields.BORN": "born",
                    "merge_fields.FREE": "free",
                    "tags": "tags",
                },
            },
            "crm": {
                "type": "hubspot",
                "credentials": {"access_token": "env:B"},
                "settings": {"base_url": "http://127.0.0.1:9"},
                "mapping": {"email": "email", "phone": "phone", "amount": "amount", "seen": "seen", "code": "code"},
            },
            "warehouse": {
                "type": "webhook",
                "credentials": {"secret": "env:C"},
                "settings": {"url": "http://127.0.0.1:9/"},
                "mapping": {name: name for name in [*ATTRIBUTES, "free", "more"]} | {"twice": "count * 2"},
            },
        },
    }
)

Value = tuple[str, Any]
"""The same value as the text of a cell, and as what a caller writes in JSON."""

WORDS_OF = st.characters(exclude_categories=["Cs"], exclude_characters="\0|")
WORDS = st.text(WORDS_OF, max_size=14)
SAID = st.sampled_from(["", " ", "#N/A", "Åsa", "00123", "x@y.se", "true", "1", "-0", "1e3", "2024-02-30", "٣", "'=1"])
TEXTS: st.SearchStrategy[Value] = (WORDS | SAID).map(lambda text: (text, text))
ABSENT: st.SearchStrategy[Value] = st.just(("", ...))
CLEARED: st.SearchStrategy[Value] = st.just(("#N/A", None))
NUMBERS: st.SearchStrategy[Value] = st.one_of(
    st.integers(-(10**20), 10**20), st.floats(-1e9, 1e9), st.integers(-9, 99)
).map(lambda number: (json.dumps(number), number))
FLAGS: st.SearchStrategy[Value] = st.booleans().map(lambda flag: (json.dumps(flag), flag))
MOMENTS = st.datetimes().map(lambda at: f"{at.isoformat()}+02:00") | st.dates().map(str)
TIMES: st.SearchStrategy[Value] = MOMENTS.map(lambda text: (text, text))
ITEMS = st.lists(st.sampled_from(["VIP", " NEWS ", "å", "", "1"]), min_size=1, max_size=4)
LISTS: st.SearchStrategy[Value] = ITEMS.map(lambda items: ("|".join(items), items))
ADDRESSES = st.sampled_from(["A@b.se", " John.Doe@Example.com", "no", "å@ö.se", "070-174 06 05", "+46701740605", "07"])
ODD: st.SearchStrategy[Value] = ADDRESSES.map(lambda text: (text, text))

ANY = st.one_of(TEXTS, ABSENT, CLEARED, NUMBERS, FLAGS, TIMES, ODD)  # a list in one cell is text elsewhere


def said(*texts: str) -> st.SearchStrategy[Value]:
    return st.sampled_from([(text, text) for text in texts])


FITTING: Mapping[str, st.SearchStrategy[Value]] = {
    "email": said("A@b.se", " John.Doe@Example.com", "å@ö.se"),
    "name": st.text(WORDS_OF, max_size=12).map(lambda text: (text, text)) | said("Åsa", "00123", "'=1", "\u2028"),
    "code": said("00ff", "1e3", "0", "-") | ABSENT,
    "phone": said("070-174 06 05", "+46701740605", "") | CLEARED,
    "count": st.integers(-5, 2**62 - 1).map(lambda number: (str(number), number)) | said("+7", "007"),
    "amount": st.decimals(-1000, 1000, places=2).map(lambda number: (str(number), float(number))) | said("1e3", "0.10"),
    "consent": FLAGS | said("YES", "n", "0") | ABSENT,
    "born": said("1980-02-29", "0001-01-01", "9999-12-31") | CLEARED,
    "seen": said("2024-01-31T10:00:00Z", "2024-01-31 10:00+02:00", "2024-01-31T23:59:59.123456-11:00"),
    "tags": LISTS.filter(lambda it: 0 < len({word for word in it[1] if word.strip()}) < 4) | ABSENT | CLEARED,
    "source": said("web", "store", "") | ABSENT,
    "free": TEXTS | NUMBERS | FLAGS | CLEARED | ABSENT | LISTS,
    "more": TEXTS | ABSENT,
}


@st.composite
def records(draw: st.DrawFn) -> dict[str, Value]:
    """A record that is good but for a mistake or two, now and then."""
    record = draw(st.fixed_dictionaries(dict(FITTING)))
    mistakes = draw(st.sets(st.sampled_from(sorted(FITTING)), max_size=2)) if draw(st.booleans()) else set()
    return record | {name: draw(ANY) for name in sorted(mistakes)}


Fate = tuple[set[tuple[str, str | None]], dict[str, list[bytes]], dict[str, set[tuple[str, str | None]]]]
"""What stands against a record, and for each integration the items that are sent, and what stands against them."""


def fate(path: Path, name: str, group: Group) -> Fate:
    """What becomes of a file of one record, by the code that processes batches."""
    planners = {name: planner(group, name) for name in group.integrations}
    mapped = {name for one in planners.values() for name in one.mapping.names}
    with Spool() as spool:
        examined = examine(path, name, group, mapped, spool)
        plans = [(name, one.plan(frame)) for frame in spool.frames() for name, one in planners.items()]
    items = {name: [item.encode() for item in plan.parcel.items] for name, plan in plans}
    against = {name: {(one.code, one.column) for one in plan.settled.findings} for name, plan in plans if plan.settled}
    return {(one.code, one.column) for one in examined.findings}, items, against


def as_file(record: Mapping[str, Value]) -> bytes:
    text = io.StringIO()
    cells = [cell for cell, _ in record.values()]
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([list(record), cells])
    return text.getvalue().encode()


def as_line(record: Mapping[str, Value]) -> bytes:
    """The record as the API keeps it, after the very envelope in which it came."""
    data = {name: value for name, (_, value) in record.items() if value is not ...}
    return opened(json.dumps({"data": data, "group_key": "abc"}).encode()).line


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("one-way")


@given(records())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_row_and_a_record_with_the_same_values_meet_the_same_fate(folder: Path, record: dict[str, Value]) -> None:
    row, taken = folder / "row.csv", folder / "taken.jsonl"
    row.write_bytes(as_file(record))
    line = as_line(record)
    taken.write_bytes(line + b"\n")
    by_file, by_api = fate(row, "row.csv", GROUP), fate(taken, "taken.jsonl", GROUP.of_records())
    assert by_api == by_file
    event("sent" if any(by_file[1].values()) else "not sent")
    vetted = {(one.code, one.column) for findings in Vetter(GROUP).vet([line]).values() for one in findings}
    assert vetted == by_file[0]
