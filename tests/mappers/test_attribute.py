"""Attributes: rules that make no sense are refused when the configuration is read, not when a file comes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from mappers.attribute import Attribute, AttributeType

TYPES = get_args(AttributeType)
RULES: dict[str, tuple[Any, set[str]]] = {
    "min": (1, {"integer", "number", "date", "datetime"}),
    "max": (1, {"integer", "number", "date", "datetime"}),
    "min_length": (1, {"string", "email", "list"}),
    "max_length": (1, {"string", "email", "list"}),
    "matches": ("a", {"string", "email", "phone", "list"}),
    "one_of": ((1,), {"string", "email", "integer", "number", "list"}),
    "unique": (True, {"string", "email", "phone", "integer"}),
    "region": ("SE", {"phone"}),
    "format": ("%Y-%m-%d %H:%M %z", {"date", "datetime"}),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("of", TYPES)
def test_a_rule_is_for_certain_types(rule: str, of: AttributeType) -> None:
    value, types = RULES[rule]
    if rule in ("min", "max") and of in ("date", "datetime"):
        value = date(2020, 1, 1)
    if of in types:
        assert getattr(Attribute(type=of, **{rule: value}), rule) == value
    else:
        with pytest.raises(ValidationError, match=f"`{rule}` is for "):
            Attribute(type=of, **{rule: value})


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"type": "text"}, "Input should be 'string'"),
        ({"requird": True}, "Extra inputs are not permitted"),
        ({"type": "integer", "min": 2, "max": 1}, "`min` is greater than `max`"),
        ({"type": "date", "min": date(2020, 1, 2), "max": date(2020, 1, 1)}, "`min` is greater"),
        ({"min_length": 2, "max_length": 1}, "`min_length` is greater"),
        ({"min_length": -1}, "greater than or equal to 0"),
        ({"type": "integer", "min": date(2020, 1, 1)}, "`min` must be a number"),
        ({"type": "number", "max": float("nan")}, "`max` must be a number"),
        ({"type": "number", "max": float("inf")}, "`max` must be a number"),
        ({"type": "date", "min": 2020}, "`min` must be a date"),
        ({"type": "datetime", "format": "%Y-%m-%d %H:%M"}, "must hold the zone"),
        ({"type": "date", "format": "dd/mm/yyyy"}, "does not tell a whole date"),
        ({"type": "date", "format": "%d/%m"}, "does not tell a whole date"),
        ({"type": "date", "format": ""}, "does not tell a whole date"),
        ({"type": "date", "format": "%Q"}, "not a format of strptime"),
        ({"type": "datetime", "format": "%d/%m/%Y %I:%M %z"}, "not a format of strptime"),
        ({"type": "datetime", "format": "%Y-%m-%d %z"}, "does not tell a whole time"),
        ({"matches": "^(?=a)"}, "not a regular expression"),
        ({"matches": "("}, "not a regular expression"),
        ({"type": "phone", "region": "se"}, "should match pattern"),
        ({"one_of": [True]}, "valid string"),
        ({"one_of": [1.1]}, "in quotes"),
        ({"type": "integer", "one_of": ["a"]}, "values of that type"),
        ({"type": "integer", "one_of": [1.5]}, "values of that type"),
        ({"type": "number", "one_of": ["1"]}, "values of that type"),
        ({"type": "number", "one_of": [float("inf")]}, "values of that type"),
    ],
)
def test_what_makes_no_sense_is_refused(rules: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Attribute.model_validate(rules)


@pytest.mark.parametrize(
    "written",
    [
        "%Y-%m-%d",
        "%d/%m/%y",
        "%Y%m%d",
        "%b %d, %Y",
        "%F",
        "%e.%m.%Y",
        "%Y-%m",
        "%Y-%m-%d %H:%M:%S",
        "%j %Y",
        "%G-W%V-%u",
    ],
)
def test_formats_of_dates(written: str) -> None:
    assert Attribute(type="date", format=written).format == written


@pytest.mark.parametrize("written", ["%d.%m.%Y %H:%M %z", "%FT%T%:z", "%FT%T%.f%z", "%s %z", "%m/%d/%Y %I:%M %p %z"])
def test_formats_of_times(written: str) -> None:
    assert Attribute(type="datetime", format=written).format == written


@pytest.mark.parametrize(
    ("of", "given", "bound"),
    [
        ("integer", 5, 5),
        ("integer", 10**30, 10**30),
        ("number", -1.5, -1.5),
        ("date", date(2020, 1, 1), date(2020, 1, 1)),
        ("date", datetime(2020, 1, 1, 5, tzinfo=UTC), date(2020, 1, 1)),
        ("datetime", date(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC)),
        ("datetime", datetime(2020, 1, 1, 5), datetime(2020, 1, 1, 5, tzinfo=UTC)),  # noqa: DTZ001
        ("datetime", datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=2))), datetime(2019, 12, 31, 22, tzinfo=UTC)),
    ],
)
def test_a_bound_is_a_value_of_the_type(of: AttributeType, given: Any, bound: Any) -> None:
    attribute = Attribute(type=of, min=given)
    assert attribute.bound("min") == bound
    assert attribute.bound("max") is None
    kept = Attribute.model_validate_json(attribute.model_dump_json())
    assert kept.bound("min") == bound, "a batch keeps its configuration as JSON, which must mean the same"


@pytest.mark.parametrize(
    ("of", "given", "allowed"),
    [
        ("string", ["web", 12], ["web", "12"]),
        ("email", [" A@B.se "], ["a@b.se"]),
        ("integer", [1, 2.0], [1, 2]),
        ("number", [1, 2.5], [1.0, 2.5]),
        ("list", ["a", 1], ["a", "1"]),
        ("string", None, []),
    ],
)
def test_allowed_values_are_of_the_type(of: AttributeType, given: Any, allowed: list[Any]) -> None:
    assert Attribute(type=of, one_of=given).allowed() == allowed
