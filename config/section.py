"""What the sections of the configuration have in common, and how what pydantic finds wrong in one is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from config.errors import Problem
from config.located import Place, Source
from mappers.nearest import nearest

_BRANCHES = {
    "int": "a whole number",
    "float": "a number",
    "date": "a date",
    "datetime": "a date with a time",
    "str": "text",
    "bool": "true or false",
    "list": "a list",
}
_REASONS = {
    "missing": "is missing",
    "model_type": "must be a mapping, like `name: value`",
    "model_attributes_type": "must be a mapping, like `name: value`",
    "dict_type": "must be a mapping, like `name: value`",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
}
_NOUNS = {int: "a number", float: "a number", bool: "true or false"}


def without_nulls(data: Any) -> Any:
    """Return a section without the names that have no value: an empty name means its default."""
    return {name: value for name, value in data.items() if value is not None} if isinstance(data, dict) else data


class Section(BaseModel):
    """A part of the configuration: unknown names are refused, and nothing changes after it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _without_nulls = model_validator(mode="before")(without_nulls)


def problems(error: ValidationError, model: type[BaseModel], source: Source) -> list[Problem]:
    """Return what is wrong with a file that was read as `model`; no value of it is repeated."""
    found: dict[Place, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        found.setdefault(_place(detail, source), []).append(detail)
    return [_problem(place, details, model, source) for place, details in found.items()]


def _place(detail: ErrorDetails, source: Source) -> Place:
    loc = detail["loc"]
    # beyond what stands in the file, pydantic names the branches of a union, except where something is missing
    return loc if detail["type"] == "missing" else source.known(loc)


def _problem(place: Place, details: Sequence[ErrorDetails], model: type[BaseModel], source: Source) -> Problem:
    detail = details[0]
    branches = dict.fromkeys(_BRANCHES.get(str(one["loc"][-1]).partition("[")[0], "") for one in details)
    if len(details) > 1 and any(branches):
        return source.problem(place, "must be " + " or ".join(filter(None, branches)))
    if detail["type"] == "extra_forbidden":
        return source.problem(place, "is not known here", nearest(str(place[-1]), _names(model, place[:-1])))
    wrong = detail.get("ctx", {}).get("error")
    return source.problem(place, _reason(detail), getattr(wrong, "hint", None) or _choice(detail))


def _reason(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "value_error":
            wrong = detail["ctx"]["error"]
            return str(getattr(wrong, "reason", wrong))
        case "string_type":
            return _not_text(detail["input"])
        case "literal_error":
            return f"must be {detail['ctx']['expected']}"
        case known if known in _REASONS:
            return _REASONS[known]
        case _:
            return detail["msg"].replace("Input should be", "must be").replace("String should", "must")


def _not_text(value: object) -> str:
    if type(value) in _NOUNS:
        return f"must be text, and is {_NOUNS[type(value)]} as it is written: put it in quotes"
    return "must be text"


def _choice(detail: ErrorDetails) -> str | None:
    if detail["type"] != "literal_error":
        return None
    return nearest(str(detail["input"]), detail["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", "))


def _names(model: type[BaseModel], place: Place) -> Iterator[str]:
    """Yield the names that may stand at a place within a model."""
    here: Any = model
    for part in place:
        here = _inner(here.model_fields[part].annotation if _is_model(here) else _each(here))
    yield from here.model_fields if _is_model(here) else ()


def _each(annotation: Any) -> Any:
    """Return what a dict's values, or a tuple's items, are."""
    return next(arg for arg in reversed(get_args(annotation)) if arg is not Ellipsis)


def _inner(annotation: Any) -> Any:
    """Return what an optional annotation is when it is given."""
    return next(
        (arg for arg in get_args(annotation) if _is_model(arg) and type(None) in get_args(annotation)), annotation
    )


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
