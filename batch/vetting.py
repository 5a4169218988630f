"""Vetting: records that come one by one, checked as the rows of a file are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from batch.checking import Checker
from batch.outcome import Finding
from batch.reading import jsonl
from batch.reading.block import Sizes, Tally
from config.group import Group


class Vetter:
    """Checks records by the attributes of a group; it may be used from several threads."""

    def __init__(self, group: Group) -> None:
        group = group.of_records()
        self._clear = group.files.clear
        self._checker = Checker(group)

    def vet(self, lines: Sequence[bytes]) -> Mapping[int, Sequence[Finding]]:
        """Return what stands against records, by their places in `lines`; those that are good are left out.

        Args:
            lines: one JSON text each, without line ends.
        """
        found: defaultdict[int, list[Finding]] = defaultdict(list)
        tally = Tally()
        for block in jsonl.blocks([b"\n".join(lines), b"\n"], self._clear, Sizes(), tally):
            for finding in (*block.findings, *self._checker.check(block.frame).findings):
                for row in finding.rows:
                    found[int(row) - 1].append(finding)
        if tally.records != len(lines):
            raise ValueError(f"{len(lines)} records came, and {tally.records} were counted")
        return found
