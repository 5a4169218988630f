"""A mapping: from checked attributes to the fields of one integration, over whole columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from mappers.expression import ROW, Expression

CLEARED = "\x00cleared\x00"
"""Prefix of the boolean columns that say where an attribute carries the clear token (no attribute holds a NUL)."""

_FAILURES = (pl.exceptions.PolarsError, pl.exceptions.PanicException)  # a panic is no `Exception`, and would end all


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One field of the destination and the expression that fills it.

    `as_text` turns the value into text; `clear` is the JSON text that empties the field (None: it cannot be);
    `separator` stands between the items of a list where the destination takes one text, so no item may hold it.
    """

    name: str
    expression: Expression
    required: bool = False
    as_text: bool = False
    clear: str | None = None
    separator: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RowMapping:
    """A compiled mapping: which records are meant, and the field values of each."""

    targets: tuple[Target, ...]
    where: Expression | None = None

    @property
    def names(self) -> set[str]:
        """Return the attributes that the mapping looks at."""
        expressions = [target.expression for target in self.targets] + ([self.where] if self.where else [])
        return {name for expression in expressions for name in expression.names}


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Rows that the mapping gave no sendable record for: a code, the field (None: `where`), a sentence."""

    code: str
    field: str | None
    message: str
    rows: pl.Series


@dataclass(slots=True, eq=False)
class Mapped:
    """What a mapping made of a frame: the rows left out, the problems, and the fields of the rest.

    `values` has the row number and a column a field, null where nothing is to be sent; `cleared` says for a field
    in which of these rows it is to be emptied.
    """

    filtered: pl.Series
    problems: list[Problem]
    values: pl.DataFrame
    cleared: dict[str, pl.Series] = field(default_factory=dict)


def apply(mapping: RowMapping, frame: pl.DataFrame) -> Mapped:
    """Map checked records (a row number and typed attributes) to the destination's fields."""
    frame = _with_missing(frame, mapping.names)
    problems: list[Problem] = []
    kept, filtered = _filter(mapping.where, frame, problems)
    values = _evaluate_all(mapping.targets, kept, problems)
    cleared = dict(_cleared(mapping.targets, kept, values))
    lacking = [target for target in mapping.targets if target.required and values[target.name].null_count()]
    problems += [_missing(target, values, problems) for target in lacking]
    return _without_problems(Mapped(filtered, [p for p in problems if len(p.rows)], values, cleared))


def _with_missing(frame: pl.DataFrame, names: set[str]) -> pl.DataFrame:
    absent = sorted(names.difference(frame.columns))
    return frame.with_columns(pl.lit(None, pl.String).alias(name) for name in absent) if absent else frame


def _filter(where: Expression | None, frame: pl.DataFrame, problems: list[Problem]) -> tuple[pl.DataFrame, pl.Series]:
    if where is None:
        return frame, frame[ROW].clear()
    meant, failed = _evaluate(where, frame)
    if len(failed):
        message = f"`where` fails on this row: {where.sql}"
        problems.append(Problem("mapping.failed", None, message, failed))
        frame, meant = _drop_rows(frame, meant, failed)
    meant = meant.cast(pl.Boolean).fill_null(value=False)
    return frame.filter(meant), frame[ROW].filter(~meant)


def _evaluate_all(targets: tuple[Target, ...], frame: pl.DataFrame, problems: list[Problem]) -> pl.DataFrame:
    columns = [(target, target.expression.expr.alias(target.name)) for target in targets]
    try:
        values = frame.select(ROW, *(expr for _, expr in columns))
    except _FAILURES:
        values = _evaluate_apart(targets, frame, problems)
    schema = values.schema
    for target in targets:
        if schema[target.name].is_float():
            wrong = values.filter(values[target.name].is_finite().not_())[ROW]
            message = f"`{target.name}` came out as a number that JSON cannot hold: {target.expression.sql}"
            problems.append(Problem("mapping.type", target.name, message, wrong))
        if target.separator and schema[target.name] == pl.List(pl.String):
            holds = values[target.name].list.join("").str.contains(target.separator, literal=True)
            message = f"an item of `{target.name}` holds {target.separator!r}, which would make two items of it"
            problems.append(Problem("mapping.type", target.name, message, values.filter(holds)[ROW]))
    return values.with_columns(_sendable(schema[target.name], target) for target in targets)


def _evaluate_apart(targets: tuple[Target, ...], frame: pl.DataFrame, problems: list[Problem]) -> pl.DataFrame:
    values = frame.select(ROW)
    for target in targets:
        column, failed = _evaluate(target.expression, frame)
        values = values.with_columns(column.alias(target.name))
        if len(failed):
            message = f"the expression of `{target.name}` fails on this row: {target.expression.sql}"
            problems.append(Problem("mapping.failed", target.name, message, failed))
    return values


def _evaluate(expression: Expression, frame: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Return the values, null where the expression fails, and the rows on which it fails.

    One failing row fails polars' whole column, so a failing frame is halved until the rows stand alone.
    """
    parts = list(_halves(expression, frame))
    if len(parts) == 1 and parts[0][1]:
        return parts[0][0]["value"], frame[ROW].clear()
    good = [part for part, ok in parts if ok]
    failed = [part[ROW] for part, ok in parts if not ok]
    if not good:
        return pl.Series("value", [None] * frame.height, pl.Null), frame[ROW]
    values = pl.concat(good, how="vertical_relaxed")
    whole = frame.select(ROW).join(values, on=ROW, how="left", maintain_order="left")
    return whole["value"], pl.concat(failed) if failed else frame[ROW].clear()


def _halves(expression: Expression, frame: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, bool]]:
    try:
        yield frame.select(ROW, expression.expr.alias("value")), True
    except _FAILURES:
        if frame.height == 1:
            yield frame.select(ROW), False
            return
        middle = frame.height // 2
        yield from _halves(expression, frame[:middle])
        yield from _halves(expression, frame[middle:])


def _sendable(dtype: pl.DataType, target: Target) -> pl.Expr:
    """Blank text and empty lists are "not sent", like null: they never overwrite what the destination has."""
    column = pl.col(target.name)
    if isinstance(dtype, pl.List):
        return _list_of_text(column, dtype)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is None:
        column = column.cast(pl.Datetime("us", "UTC"))
    if target.as_text and dtype != pl.String:
        return as_text(column, dtype).alias(target.name)
    if dtype.is_decimal():
        return column.cast(pl.Float64)
    if dtype == pl.String:
        return pl.when(column.str.strip_chars().str.len_bytes() > 0).then(column).alias(target.name)
    return column


def _list_of_text(column: pl.Expr, dtype: pl.List) -> pl.Expr:
    item = pl.element()
    keep = item.is_not_null() & (item.str.strip_chars() != "") if dtype.inner == pl.String else item.is_not_null()
    kept = column.list.eval(item.filter(keep))
    return pl.when(kept.list.len() > 0).then(kept).name.keep()


def as_text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return a column of scalars as text: whole numbers without a fraction, dates and times in ISO 8601."""
    if dtype == pl.Datetime:
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.f%:z")
    text = column.cast(pl.String)
    return text.str.strip_suffix(".0") if dtype.is_float() else text


def _cleared(targets: tuple[Target, ...], frame: pl.DataFrame, values: pl.DataFrame) -> Iterator[tuple[str, pl.Series]]:
    """A field is emptied where it came out empty and every attribute that its expression names is cleared."""
    for target in targets:
        flags = [CLEARED + name for name in target.expression.names]
        if target.clear is None or not flags or not set(flags) <= set(frame.columns):
            continue
        asked = frame.select(pl.all_horizontal(flags)).to_series()
        where = asked & values[target.name].is_null()
        if where.any():
            yield target.name, where


def _missing(target: Target, values: pl.DataFrame, problems: list[Problem]) -> Problem:
    message = f"`{target.name}` is required by the destination and came out empty: {target.expression.sql}"
    rows = values.filter(values[target.name].is_null())[ROW]
    for problem in problems:
        if problem.field == target.name:  # where the expression fails, that it came out empty is no news
            rows = rows.filter(~rows.is_in(problem.rows.implode()))
    return Problem("mapping.required", target.name, message, rows)


def _without_problems(mapped: Mapped) -> Mapped:
    rows = [problem.rows for problem in mapped.problems]
    if not rows:
        return mapped
    good = ~mapped.values[ROW].is_in(pl.concat(rows).implode())
    mapped.values = mapped.values.filter(good)
    mapped.cleared = {name: where.filter(good) for name, where in mapped.cleared.items()}
    return mapped


def _drop_rows(frame: pl.DataFrame, values: pl.Series, rows: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    good = ~frame[ROW].is_in(rows.implode())
    return frame.filter(good), values.filter(good)
