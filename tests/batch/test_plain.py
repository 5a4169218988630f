"""Plain records: what a look lets pass the check of whole columns lets pass too, and most records are plain."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.records import a_group

from batch.vetting import Vetter

TEXTS = [
    *(
        "",
        " ",
        "  ",
        "\t",
        "\x1f",
        "\x85",
        "a",
        " a",
        "a\n",
        "Ä",
        "ß",
        "ı",
        "İ",
        "\N{KELVIN SIGN}",
        "-",
        "#N/A",
        "null",
        "web",
        "WEB",
    ),
    *(
        "11122",
        "1112",
        "111222",
        "a1-",
        "١٢٣",
        "true",
        "Yes",
        "N",
        "0",
        "-0",
        "+5",
        "007",
        "-7",
        "5.",
        ".5",
        "0.10",
        "1e5",
    ),
    *("123456789.123456", "1234567890.1", "9" * 18, "9" * 19, "NaN", "inf", "0x1", "1_000", " 7", "7 "),
    *(
        "2024-02-29",
        "2023-02-29",
        "0000-01-01",
        "0001-01-01",
        "9999-12-31",
        "2024-1-1",
        "+2024-01-01",
        "20240101",
        "2024-01-01T00:00:00Z",
    ),
    *(
        "a@example.com",
        "A@Example.Com",
        " a@b.se",
        "a@b",
        "å@b.se",
        "a@b.s",
        "a@b.sE",
        "a..b@c.se",
        "a@-b.se",
        "x" * 250 + "@b.se",
    ),
    *("+46701740605", "0701740605", "070", "+1 202 555 0123", "+46701740605 ext 5"),
]
texts = st.one_of(st.sampled_from(TEXTS), st.text(max_size=8), st.from_regex(r"[0-9A-Za-z. @+-]{0,9}", fullmatch=True))
scalars = st.one_of(
    texts, st.integers(-(10**20), 10**20), st.integers(-9, 9), st.booleans(), st.none(), st.floats(-1e9, 1e9)
)
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.lists(st.sampled_from(["a", "web", "b "]), max_size=3))
PATTERNS = ["^[0-9]{5}$", "^[a-z]+$", "^a?1*$", "a", "^a|b$", r"^\d+$", "^[A-Z]{0,3}$", "^.$", "(?i)^A$"]
ONE_OF = [["web", "a"], ["a@example.com", "1", "11122"]]


RULES: dict[str, dict[str, list[Any]]] = {
    "string": {"min_length": [1, 5], "max_length": [3, 5], "matches": PATTERNS, "one_of": ONE_OF},
    "email": {"min_length": [1, 9], "max_length": [12, 300], "matches": PATTERNS, "one_of": ONE_OF},
    "phone": {"region": ["SE"], "matches": PATTERNS},
    "integer": {"min": [-7, 0], "max": [5, 10], "one_of": [[0, 7]]},
    "number": {"min": [-7, 0.5], "max": [5, 10], "one_of": [[0, 7, 0.1]]},
    "boolean": {},
    "date": {"min": ["1900-01-01"], "max": ["2024-01-01"], "format": ["%d/%m/%Y"]},
    "datetime": {"min": ["1900-01-01"]},
    "list": {"min_length": [1, 2], "max_length": [1, 2], "matches": PATTERNS, "one_of": ONE_OF},
}


@st.composite
def attributes(draw: st.DrawFn) -> dict[str, Any]:
    """An attribute of any type, with some of the rules that it may have."""
    of = draw(st.sampled_from(sorted(RULES)))
    rules = draw(st.sets(st.sampled_from(sorted(RULES[of])), max_size=2)) if RULES[of] else set()
    found = {rule: draw(st.sampled_from(RULES[of][rule])) for rule in rules}
    if {"min_length", "max_length"} <= rules:
        found["min_length"], found["max_length"] = sorted((found["min_length"], found["max_length"]))
    return {"type": of, "required": draw(st.booleans()), **found}


@given(attribute=attributes(), more=st.lists(values, max_size=30))
@settings(max_examples=500)
def test_what_is_plain_keeps_every_rule(attribute: dict[str, Any], more: list[Any]) -> None:
    vetter = Vetter(a_group({"it": attribute}, mapping={"it": "it"}, files={"clear": "-"}))
    given_values = [*TEXTS, *([text] for text in TEXTS), [], None, True, *range(-9, 12), *more]
    lines = [json.dumps({"it": value}).encode() for value in given_values]
    doubtful = set(vetter._doubtful(lines))
    plain = [line for place, line in enumerate(lines) if place not in doubtful]
    if plain:
        assert vetter._checked(plain) == {}


@given(attribute=attributes(), value=values)
@settings(max_examples=400)
def test_the_verdict_is_that_of_the_whole_check(attribute: dict[str, Any], value: Any) -> None:
    vetter = Vetter(a_group({"it": attribute, "other": {}}, mapping={"it": "it"}, unknown_attributes="reject"))
    lines = [json.dumps(record).encode() for record in ({"it": value}, {}, {"more": value}, {"other": value})]
    said = {place: [(one.code, one.column) for one in found] for place, found in vetter.vet(lines).items()}
    whole = {place: [(one.code, one.column) for one in found] for place, found in vetter._checked(lines).items()}
    assert said == whole


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ({}, "any text"),
        ({"max_length": 5}, "Åsa"),
        ({"matches": "^[0-9]{5}$"}, "11122"),
        ({"one_of": ["web"]}, "web"),
        ({"type": "email", "required": True}, "Anna@Example.com"),
        ({"type": "phone", "region": "SE"}, "0701740605"),
        ({"type": "integer", "min": 0}, 7),
        ({"type": "number", "max": 9}, 1.5),
        ({"type": "boolean"}, True),
        ({"type": "date"}, "2024-02-29"),
        ({"type": "list", "max_length": 2}, ["a", "b"]),
        ({"type": "email"}, None),
        ({"type": "datetime"}, None),
    ],
)
def test_what_people_send_is_plain(attribute: dict[str, Any], value: Any) -> None:
    vetter = Vetter(a_group({"it": attribute}, mapping={"it": "it"}))
    assert list(vetter._doubtful([json.dumps({"it": value}).encode()])) == []
