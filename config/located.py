"""YAML files as data that remembers on which line each part of it stands."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from config.errors import ConfigError, Problem

Place = tuple[str | int, ...]

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)?\.[0-9]+([eE][-+][0-9]+)?")
_ZEROS = re.compile(r"[-+]?0[0-9]+")
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")}


@dataclass(frozen=True, slots=True)
class Source:
    """What a YAML file says, and where it says it."""

    file: Path | None
    data: Any
    lines: Mapping[Place, int]

    def known(self, place: Sequence[str | int]) -> Place:
        """Return the longest beginning of `place` that stands in the file."""
        return next((tuple(place[:n]) for n in range(len(place), 0, -1) if tuple(place[:n]) in self.lines), ())

    def problem(self, place: Sequence[str | int], reason: str, hint: str | None = None) -> Problem:
        """Return a problem at `place`, or at the nearest part around it that the file has."""
        line = self.lines.get(self.known(place))
        return Problem(reason, self.file, line, ".".join(str(part) for part in place), hint)


def read(file: Path) -> Source:
    """Read a YAML file.

    Only `true`, `false`, `null` and plain decimal numbers are read as something else than text: `no`, `2026-11-23`,
    `12e5` and `+46701740605` stay as written, and a number with leading zeros is refused, for it may be meant as text.

    Raises:
        ConfigError: when the file cannot be read, is not YAML, or says something twice.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([Problem(f"cannot be read: {error.strerror}", file)]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([Problem("is not UTF-8", file, error.object[: error.start].count(b"\n") + 1)]) from None
    reader = _Reader(file)
    node = _compose(file, text)
    reader.lines[()] = _line(node)
    data = reader.value(node, ())
    if reader.problems:
        raise ConfigError(reader.problems)
    return Source(file, data, reader.lines)


def _compose(file: Path, text: str) -> yaml.Node:
    # The parsers' own error texts quote the file, which may hold a secret: only what is wrong, and where, is told.
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise ConfigError([Problem("holds a control character", file, line)]) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError([Problem(f"is not YAML: {_reason(error)}", file, line)]) from None
    if node is None:
        raise ConfigError([Problem("is empty", file)])
    return node


def _reason(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "cannot be understood"
    return "a tab where spaces are needed" if "'\\t'" in problem else re.sub(r" '[^']{2,}'", "", problem)


class _Reader:
    """Turns YAML nodes into data, noting lines and problems on the way."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lines: dict[Place, int] = {}
        self.problems: list[Problem] = []
        self._around: list[yaml.Node] = []

    def value(self, node: yaml.Node, place: Place) -> Any:
        if node.tag not in _PLAIN_TAGS:
            return self._refuse(node, place, "YAML tags (!…) are not used here")
        if any(node is outer for outer in self._around):
            return self._refuse(node, place, "refers to itself")
        self._around.append(node)
        try:
            return self._value(node, place)
        finally:
            self._around.pop()

    def _value(self, node: yaml.Node, place: Place) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*place, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, place)

    def _item(self, node: yaml.Node, place: Place) -> Any:
        self.lines.setdefault(place, _line(node))
        return self.value(node, place)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in sorted(node.value, key=lambda pair: _is_merge(pair[0])):
            if _is_merge(key):
                merged = self._merged(value, place)
            elif not isinstance(key, yaml.ScalarNode):
                self._refuse(key, place, "a name must be text")
            elif key.value in own:
                first = self.lines[(*place, key.value)]
                self._refuse(key, (*place, key.value), f"stands here a second time; the first is on line {first}")
            else:
                own[key.value] = self._entry(key, value, (*place, key.value))
        return merged | own

    def _entry(self, key: yaml.Node, value: yaml.Node, place: Place) -> Any:
        self.lines.setdefault(place, _line(key))
        return self.value(value, place)

    def _merged(self, node: yaml.Node, place: Place) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for one in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(one, yaml.MappingNode):
                self._refuse(one, place, "`<<` takes a mapping")
                continue
            merged = self.value(one, place) | merged
        return merged

    def _scalar(self, node: yaml.Node, place: Place) -> Any:
        text: str = node.value
        if getattr(node, "style", None):  # in quotes, or a block
            return text
        if _ZEROS.fullmatch(text):
            return self._refuse(node, place, "would lose its zeros as a number: write it in quotes")
        return _plain(text)

    def _refuse(self, node: yaml.Node, place: Place, reason: str) -> None:
        self.problems.append(Problem(reason, self.file, _line(node), ".".join(map(str, place))))


def _plain(text: str) -> Any:
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) < 20 else text  # a longer one is an id, and Python limits the length
    if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _is_merge(key: yaml.Node) -> bool:
    return isinstance(key, yaml.ScalarNode) and key.value == "<<" and not key.style
