"""RFC 8259, token by token, without recursion: a second opinion on what one line of JSON is.

It reads a record by the rules of docs/explanation/reading.md, and names everything that is wrong with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

Value = str | list[str] | None

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_WORDS = {"true": "true", "false": "false", "null": None}
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class NotJson(ValueError):
    """The text is not JSON."""


@dataclass
class Line:
    """What a line says: its members, numbers as they were written; and the codes of all that is wrong with it.

    `whole` is whether it is JSON at all, and `depth` how deep it goes.
    """

    members: dict[str, Value] = field(default_factory=dict)
    faults: set[str] = field(default_factory=set)
    whole: bool = True
    depth: int = 0


def line(text: str) -> Line:
    """Read one line."""
    found = Line()
    if "\0" in text:
        found.faults.add("row.nul")
    try:
        _Reader(text, found).read()
    except NotJson:
        found.faults.add("row.json")
        found.whole = False
    return found


@dataclass
class _Reader:
    """Walks over a text with a stack of what is open: a set of names for an object, None for an array."""

    text: str
    found: Line
    at: int = 0
    open: list[set[str] | None] = field(default_factory=list)
    fresh: bool = False  # a bracket was opened just now, so that no comma comes before the next member
    name: str = ""
    items: list[str] | None = None  # of the record's member that is an array

    def read(self) -> None:
        self.value()
        while self.open:
            if self.take("}" if self.open[-1] is not None else "]"):
                self.close()
            else:
                if not self.fresh:
                    self.expect(",")
                self.member()
        if self.peek():
            raise NotJson

    def member(self) -> None:
        """Read what follows a comma or an opening bracket."""
        self.fresh = False
        if (names := self.open[-1]) is not None:
            name = self.string()
            self.expect(":")
            if name in names:
                self.found.faults.add("row.duplicate_key")
            names.add(name)
            if len(self.open) == 1:
                self.name = name
                self.check(name)
        self.value()

    def value(self) -> None:
        """Read a scalar, or the bracket that opens an object or an array."""
        if self.take("{"):
            self.begin(set())
        elif self.take("["):
            self.begin(None)
        else:
            self.scalar()

    def begin(self, names: set[str] | None) -> None:
        """Note an object or array; a record is an object, and its members hold no more than flat arrays."""
        if not self.open and names is None:
            self.found.faults.add("row.json")
        if len(self.open) == 1 and names is None:
            self.items = []
        elif self.open:
            self.found.faults.add("row.nested")
        self.open.append(names)
        self.found.depth = max(self.found.depth, len(self.open))
        self.fresh = True

    def close(self) -> None:
        """Note the end of an object or array."""
        self.fresh = False
        self.open.pop()
        if len(self.open) == 1 and self.items is not None:
            self.found.members[self.name], self.items = self.items, None

    def scalar(self) -> None:
        value: str | None
        if self.peek() == '"':
            value = self.string()
            self.check(value)
        elif match := _NUMBER.match(self.text, self.at):
            value, self.at = match.group(), match.end()
        else:
            word = next((word for word in _WORDS if self.text.startswith(word, self.at)), None)
            if word is None:
                raise NotJson
            value, self.at = _WORDS[word], self.at + len(word)
        self.keep(value)

    def keep(self, value: str | None) -> None:
        if not self.open:
            self.found.faults.add("row.json")
        elif len(self.open) == 1:
            self.found.members[self.name] = value
        elif len(self.open) == 2 and self.items is not None:
            if value is None:
                self.found.faults.add("row.nested")
            self.items.append(value or "")

    def check(self, text: str) -> None:
        """Note text that no destination could take."""
        if "\0" in text:
            self.found.faults.add("row.nul")
        if any("\ud800" <= character <= "\udfff" for character in text):
            self.found.faults.add("row.surrogate")

    def string(self) -> str:
        self.expect('"')
        units: list[str] = []
        while (character := self.text[self.at : self.at + 1]) != '"':
            self.at += 1
            if character == "\\":
                units.append(self.escape())
            elif character < " ":  # or the end of the text
                raise NotJson
            else:
                units.append(character)
        self.at += 1
        return _paired("".join(units))

    def escape(self) -> str:
        letter = self.text[self.at : self.at + 1]
        self.at += 1
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        digits = self.text[self.at : self.at + 4]
        if letter != "u" or not re.fullmatch("[0-9a-fA-F]{4}", digits):
            raise NotJson
        self.at += 4
        return chr(int(digits, 16))

    def peek(self) -> str:
        """Return the next character that is no white space."""
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.text[self.at : self.at + 1]

    def take(self, character: str) -> bool:
        if self.peek() != character:
            return False
        self.at += 1
        return True

    def expect(self, character: str) -> None:
        if not self.take(character):
            raise NotJson


def _paired(text: str) -> str:
    """Put the halves of surrogate pairs together."""
    return re.sub("[\ud800-\udbff][\udc00-\udfff]", lambda pair: _joined(*pair.group()), text)


def _joined(high: str, low: str) -> str:
    return chr(0x10000 + ((ord(high) - 0xD800) << 10) + (ord(low) - 0xDC00))
