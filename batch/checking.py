"""The group's own check of every record: types, rules and normalisation, before any mapping sees a value.

The attributes become a pandera schema (`mappers.schema`). Text is checked first and converted after, because a failed
conversion would lose the cell that it failed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from batch import rowset
from batch.errors import BatchError
from batch.outcome import Finding, Outcome, Rows
from config.group import Group
from mappers.attribute import Attribute
from mappers.expression import ROW
from mappers.mapping import CLEARED
from mappers.steps import Recipe, steps

_HASHES = ("hash 1", "hash 2")  # two, since 64 bits alone would call two of 100 million values equal now and then


_SHOWN = 20  # names of columns in a message


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """A block after the check: typed values of the records that may be sent, and what is wrong with the others.

    `frame` has the row number, the attributes that are declared or mapped, each in its type, and a boolean column
    `CLEARED + name` for each attribute that carries the clear token somewhere in the block.
    """

    frame: pl.DataFrame
    findings: tuple[Finding, ...]


class Checker:
    """Checks the blocks of one file by the attributes of its group; uniqueness is known when the last one is in."""

    def __init__(self, group: Group, mapped: Iterable[str] = ()) -> None:
        """Check by `group`'s attributes; `mapped` names further attributes that mappings look at."""
        self._attributes = group.attributes
        self._closed = group.closed
        others = tuple(sorted(set(mapped).difference(group.attributes)))
        declared, files = tuple(group.attributes.items()), group.files
        self._recipe = Recipe(declared, others, files.clear, files.list_separator)
        self._unique = {name: _Seen(name) for name, one in group.attributes.items() if one.unique}

    def check_header(self, header: Sequence[str]) -> None:
        """Check a CSV file's column names.

        Raises:
            BatchError: when a required attribute has no column, or a column is not declared and must be.
        """
        known = {name.strip().casefold() for name in self._recipe.wanted}
        # what has no column of ours may well begin with a record instead: a person, whom no message must name
        shown = header[:_SHOWN] if any(name.strip().casefold() in known for name in header) else ()
        missing = [name for name, one in self._attributes.items() if one.required and name not in header]
        if missing:
            raise BatchError("file.header.missing", _missing_columns(missing, header, shown))
        unknown = [name for name in header if name not in self._attributes]
        if self._closed and unknown:
            names = f"no attribute {_listed(unknown)}" if shown else "none of the columns (is the header line missing?)"
            raise BatchError("file.header.unknown", f"the group knows {names}, and rejects unknown ones")

    def check(self, frame: pl.DataFrame) -> Checked:
        """Check the records of one block: a row number and text (or lists of text) as the file has them.

        Several threads may check blocks at once.
        """
        tidy, typed, findings = self._judged(frame)
        bad, values = _rows(findings), tidy.select_seq(ROW, *typed)
        good = values.filter(~values[ROW].is_in(bad)) if len(bad) else values
        for seen in self._unique.values():
            seen.add(good)
        return Checked(good, findings)

    def findings(self, frame: pl.DataFrame) -> tuple[Finding, ...]:
        """Return what is wrong with the records of one block by themselves, as `check` does; nothing is remembered."""
        return self._judged(frame)[2]

    def _judged(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, Sequence[pl.Expr], tuple[Finding, ...]]:
        """Return the tidy texts with the values that they mean, how to get the typed values, and what is wrong."""
        findings = list(self._unknown(frame))
        frame = self._wanted_of(frame)
        lists = frozenset(one.name for one in frame if isinstance(one.dtype, pl.List))
        step = steps(self._recipe, lists)
        # one expression after the other: two blocks are checked at once, and more threads would hinder small ones
        asked = [name for name, is_asked in frame.select_seq(step.asks).row(0, named=True).items() if is_asked]
        if asked:
            frame = frame.with_columns(one for name in asked for one in step.cleared[name])
        findings += self._misplaced_lists(frame, lists)
        tidy = frame.with_columns_seq(step.tidy).with_columns_seq(step.meant)
        findings += self._broken_rules(tidy, tidy.select_seq(step.keeps))
        return tidy, [*step.typed, *(pl.col(CLEARED + name) for name in asked)], tuple(findings)

    def finish(self) -> tuple[Finding, ...]:
        """Return what only the whole file can tell: values of unique attributes that stand in an earlier row."""
        found = ((name, seen.again()) for name, seen in self._unique.items())
        return tuple(self._finding("unique", name, rows) for name, rows in found if len(rows))

    def _unknown(self, frame: pl.DataFrame) -> Iterator[Finding]:
        if not self._closed:
            return
        every, *columns = frame  # one by one: what looks at the whole frame for each takes ages where it is wide
        for column in columns:
            if column.name not in self._attributes and len(rows := every.filter(column.is_not_null())):
                yield self._finding("row.column.unknown", column.name, rows.to_numpy())

    def _wanted_of(self, frame: pl.DataFrame) -> pl.DataFrame:
        known = set(frame.columns)
        absent = pl.lit(None, pl.String)
        return frame.select_seq(ROW, *(name if name in known else absent.alias(name) for name in self._recipe.wanted))

    def _misplaced_lists(self, frame: pl.DataFrame, lists: frozenset[str]) -> Iterator[Finding]:
        for name, one in self._attributes.items():
            if one.type != "list" and name in lists:
                several = frame.filter(frame[name].list.len() > 1)[ROW]
                if len(several):
                    yield self._finding("string.list", name, several.to_numpy())

    def _broken_rules(self, tidy: pl.DataFrame, keeps: pl.DataFrame) -> list[Finding]:
        broken = [one for one in keeps if not one.all()]
        if not broken:
            return []
        # pandera takes a sixth of a second to import, which a block without mistakes need not wait for
        from mappers import schema  # noqa: PLC0415

        suspects = tidy.filter(~pl.all_horizontal(broken))
        cases = schema.failures(schema.of({one.name: self._attributes[one.name] for one in broken}), suspects)
        cases = cases.with_columns(suspects[ROW].gather(cases["index"]).alias(ROW))
        groups = cases.group_by("column", "check", maintain_order=True).agg(pl.col(ROW).unique().sort())
        return [self._finding(code, column, rows.to_numpy()) for column, code, rows in zip(*groups, strict=True)]

    def _finding(self, code: str, column: str, rows: Rows) -> Finding:
        message = _message(code, column, self._attributes.get(column, Attribute()))
        return Finding(Outcome.INVALID, code, column, message, np.asarray(rows, dtype=np.int64))


class _Seen:
    """The values of one attribute so far, as hashes, with their rows."""

    def __init__(self, name: str) -> None:
        value = pl.col(name)
        self._present = value.cast(pl.String).str.strip_chars().str.len_bytes() > 0
        self._hashes = [value.hash(seed=number).alias(text) for number, text in enumerate(_HASHES)]
        self._blocks: list[pl.DataFrame] = []

    def add(self, frame: pl.DataFrame) -> None:
        self._blocks.append(frame.filter(self._present).select(ROW, *self._hashes))

    def again(self) -> Rows:
        self._blocks.sort(key=lambda block: block[ROW].first() or 0)  # threads may have brought them in any order
        first = [block[_HASHES[0]].to_numpy() for block in self._blocks]
        hashes = np.sort(np.concatenate(first)) if first else rowset.EMPTY
        twice = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
        if not len(twice):
            return rowset.EMPTY
        # a table of every value would take more memory than all else; of those that may stand twice it is small
        doubtful = pl.concat(block.filter(np.isin(block[_HASHES[0]].to_numpy(), twice)) for block in self._blocks)
        return doubtful.filter(~pl.struct(_HASHES).is_first_distinct())[ROW].to_numpy()


def _rows(findings: Iterable[Finding]) -> Rows:
    return rowset.union(finding.rows for finding in findings)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _missing_columns(missing: Sequence[str], header: Sequence[str], shown: Sequence[str]) -> str:
    plural = "columns" if len(missing) > 1 else "column"
    has = f"it has {_listed(shown)}" if shown else "it has none that the group knows: is the header line missing?"
    message = f"the header has no {plural} {_listed(missing)}, which the group requires; {has}"
    near = {name.strip().casefold(): name for name in header}
    twins = [f"`{near[name.casefold()]}` is not `{name}`" for name in missing if name.casefold() in near]
    other = next((mark for mark in (";", "\t", "|", ",") if len(header) == 1 and mark in header[0]), None)
    if other:
        twins.append(f"the columns seem to be divided by {other!r}: set files.delimiter, or save the file with commas")
    return "; ".join([message, *twins])


def _message(code: str, column: str, one: Attribute) -> str:
    say = _MESSAGES.get(code)
    return say(column, one) if say else f"{column} breaks {code}"


_MESSAGES: dict[str, Callable[[str, Attribute], str]] = {
    "required": lambda name, _: f"{name} is required and is blank",
    "string.list": lambda name, _: f"{name} takes one value, and here stands a list",
    "email.format": lambda name, _: f"{name} is not an e-mail address",
    "phone.format": lambda name, one: f"{name} is not a telephone number{f' of {one.region}' if one.region else ''}",
    "integer.format": lambda name, _: f"{name} is not a whole number",
    "integer.range": lambda name, _: f"{name} is beyond 64 bits; declare it as a string",
    "number.format": lambda name, _: f"{name} is not a number with a decimal point",
    "number.precision": lambda name, _: f"{name} has more digits than a number keeps; declare it as a string",
    "boolean.format": lambda name, _: f"{name} is neither true nor false",
    "date.format": lambda name, one: f"{name} is not a date like {one.format or '%Y-%m-%d'}",
    "datetime.format": lambda name, one: f"{name} is not a time with its zone like {one.format or 'ISO 8601'}",
    "min": lambda name, one: f"{name} must be at least {one.min}",
    "max": lambda name, one: f"{name} must be at most {one.max}",
    "min_length": lambda name, one: f"{name} must be at least {one.min_length} long",
    "max_length": lambda name, one: f"{name} must be at most {one.max_length} long",
    "matches": lambda name, one: f"{name} must match {one.matches}",
    "one_of": lambda name, one: f"{name} must be one of {', '.join(map(str, one.one_of or ()))}",
    "unique": lambda name, _: f"{name} must be unique, and its value stands in an earlier row already",
    "row.column.unknown": lambda name, _: f"{name} is not an attribute of the group",
}
