"""The examination: the whole file is read and checked before the first record of it is sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from batch import rowset
from batch.ahead import ahead
from batch.checking import Checked, Checker
from batch.errors import BatchError
from batch.outcome import Finding, Rows
from batch.reading import Block, Reader, Sizes
from batch.runtime import Progress, silent
from batch.spool import Spool
from config.group import Group
from config.limits import USUAL, Limits
from mappers.expression import ROW
from mappers.mapping import CLEARED


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """What the examination found: the records counted, blank lines passed over, and what stands against rows.

    `incomplete` marks a file whose last record is cut off.
    """

    rows: int
    blank_lines: int
    findings: tuple[Finding, ...]
    incomplete: bool

    @property
    def invalid(self) -> Rows:
        """The rows that break a rule."""
        return rowset.union(finding.rows for finding in self.findings)


def examine(
    path: Path,
    name: str,
    group: Group,
    mapped: Collection[str],
    spool: Spool,
    *,
    limits: Limits = USUAL,
    progress: Progress = silent,
) -> Examined:
    """Read and check every record of a file, and put those that are good into the spool, typed.

    Args:
        path: the drop's bytes.
        name: the drop's name, whose ending tells the format.
        group: whose attributes to check by.
        mapped: the attributes that mappings look at, beside those that are declared.
        spool: where the checked records go.
        limits: how large what is in the file may be.
        progress: told of the rows as they are checked.

    Raises:
        BatchError: when the file as a whole cannot be used.
    """
    reader, checker = Reader(path, name, group.files, Sizes.within(limits)), Checker(group, mapped)
    findings: list[Finding] = []
    counted = kept = 0

    def check(block: Block) -> tuple[Block, Checked]:
        return block, checker.check(block.frame)

    for block, checked in ahead(check, _with_good_header(reader, checker)):
        findings += [*block.findings, *checked.findings]
        spool.add(_looked_at(checked.frame, mapped))
        counted += block.count
        kept += checked.frame.height
        progress("checked", block.count)
    _expect_conserved(counted, kept, findings)
    findings += checker.finish()
    return Examined(counted, reader.blank_lines, tuple(findings), reader.incomplete)


def expect_size(size: int, limits: Limits) -> None:
    """Refuse a file that is too large before anything else is done with it.

    Raises:
        BatchError: `file.size`.
    """
    if size > limits.file:
        raise BatchError(
            "file.size",
            f"The file has {size:,} bytes, and {limits.file:,} are allowed. Drop it in parts, or let an operator raise "
            "`limits.file`.",
        )


def _with_good_header(reader: Reader, checker: Checker) -> Iterator[Block]:
    """Yield the blocks of a file once its header is found good, if it has one."""
    first = next(blocks := iter(reader), None)
    if reader.header is not None:
        checker.check_header(reader.header)
    if first is not None:
        yield first
        yield from blocks


def _looked_at(frame: pl.DataFrame, mapped: Collection[str]) -> pl.DataFrame:
    """Return the columns that mappings look at, which are all that is written and read again."""
    wanted = {ROW, *mapped, *(CLEARED + name for name in mapped)}
    return frame.select(name for name in frame.columns if name in wanted)


def among(findings: Iterable[Finding], rows: Rows) -> list[Finding]:
    """Return the findings as far as they speak of the given rows."""
    narrowed = (replace(finding, rows=rowset.both(finding.rows, rows)) for finding in findings)
    return [finding for finding in narrowed if len(finding.rows)]


def _expect_conserved(counted: int, kept: int, findings: Iterable[Finding]) -> None:
    invalid = len(rowset.union(finding.rows for finding in findings))
    if counted != kept + invalid:
        raise BatchError(
            "file.unreadable",
            f"{counted} records were counted, but {kept} good and {invalid} bad ones came out of reading; "
            "nothing was sent, and this is a fault of the program: please report it",
        )
