"""Vetting: records that come one by one, checked as the rows of a file are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import UNSET

from batch.checking import Checker
from batch.outcome import Finding
from batch.reading import jsonl
from batch.reading.block import Sizes, Tally
from batch.reading.digits import Digits
from batch.reading.fitting import fitting
from batch.reading.mended import REPORT
from batch.reading.quick import Quick
from config.group import Group
from config.limits import USUAL, Limits
from mappers import plain
from mappers.attribute import Attribute

_TEXTS = {True: "true", False: "false"}


class Vetter:
    """Checks records by the attributes of a group; it may be used from several threads."""

    def __init__(self, group: Group, limits: Limits = USUAL) -> None:
        self._sizes = Sizes.within(limits)
        self._largest = min(limits.record, limits.value)  # a line that is no larger holds no value that is
        group = group.of_records()
        self._clear, self._closed = group.files.clear, group.closed
        self._checker = Checker(group)
        self._plain = {name: _plain(one, self._clear) for name, one in group.attributes.items()}
        self._required = {name for name, one in group.attributes.items() if one.required}

    def vet(self, lines: Sequence[bytes]) -> Mapping[int, Sequence[Finding]]:
        """Return what stands against records, by their places in `lines`; those that are good are left out.

        Args:
            lines: one JSON text each, without line ends.
        """
        doubtful = self._doubtful(lines)
        if not doubtful:
            return {}
        return {doubtful[place]: found for place, found in self._checked([lines[place] for place in doubtful]).items()}

    def _doubtful(self, lines: Sequence[bytes]) -> Sequence[int]:
        """Return the places of records of which no look tells that they are good: the check says more of them."""
        text = b"\n".join(lines)
        one_each = b"\r" not in text and text.count(b"\n") == len(lines) - 1 and max(map(len, lines)) <= self._largest
        columns = Quick(self._sizes.attributes).columns(lines) if one_each else None
        if columns is None or not self._required <= columns.keys() or not columns.keys().isdisjoint(REPORT):
            return range(len(lines))
        doubtful: set[int] = set()
        for name, values in columns.items():
            if look := self._plain.get(name):
                doubtful.update(place for place, value in enumerate(values) if not look(value))
            elif self._closed:
                doubtful.update(place for place, value in enumerate(values) if value is not UNSET)
        return sorted(doubtful)

    def _checked(self, lines: Sequence[bytes]) -> Mapping[int, Sequence[Finding]]:
        found: defaultdict[int, list[Finding]] = defaultdict(list)
        tally = Tally()
        blocks = jsonl.blocks([b"\n".join(lines), b"\n"], self._clear, self._sizes, tally)
        for block in fitting(blocks, self._sizes.value):
            for finding in (*block.findings, *self._checker.findings(block.frame)):
                for row in finding.rows:
                    found[int(row) - 1].append(finding)
        if tally.records != len(lines):
            raise ValueError(f"{len(lines)} records came, and {tally.records} were counted")
        return found


def _plain(attribute: Attribute, clear: str) -> Callable[[Any], bool]:
    """Return what tells of a JSON value whether it is plain."""
    look, optional, is_list = plain.look(attribute), not attribute.required, attribute.type == "list"

    def is_plain(value: Any) -> bool:
        kind = type(value)
        if kind is list:
            return is_list and value != [clear] and look(value)
        if value is None or value is UNSET:
            return optional
        text = value if kind is str or kind is Digits else _TEXTS[value] if kind is bool else str(value)
        if text == clear or not text.strip(" "):
            return optional
        return not is_list and look(text)

    return is_plain
