"""A group's attributes as a pandera schema: one check a rule, named by the rule's stable code."""

from __future__ import annotations

from collections.abc import Mapping

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors

from mappers import rules
from mappers.attribute import Attribute


def of(attributes: Mapping[str, Attribute]) -> pa.DataFrameSchema:
    """Return the schema that tidy text (and lists) of these attributes, with the values meant, must keep.

    A cell that says nothing breaks no rule but `required`; the caller turns cleared cells into null.
    """
    return pa.DataFrameSchema({name: _column(name, attribute) for name, attribute in attributes.items()})


def failures(schema: pa.DataFrameSchema, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the broken rules of a frame: `column`, `check` (the rule's code) and `index` (from 0) of each."""
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases: pl.DataFrame = errors.failure_cases
        return cases.select("column", "check", "index")
    return pl.DataFrame(schema={"column": pl.String, "check": pl.String, "index": pl.Int32})


def _column(name: str, attribute: Attribute) -> pa.Column:
    checks = [_check(code, holds) for code, holds in rules.of(name, attribute)]
    dtype = pl.List(pl.String) if attribute.type == "list" else pl.String
    return pa.Column(dtype, checks, nullable=True, required=False)


def _check(code: str, holds: pl.Expr) -> pa.Check:
    # ignore_na would hide the nulls that `required` looks for
    return pa.Check(lambda data: data.lazyframe.select(holds.alias(data.key or "")), name=code, ignore_na=False)
