"""RFC 4180, character by character: slow, and plain enough to be believed. A second opinion on what reading does.

Beyond the RFC, by docs/explanation/reading.md: CR, LF and CR LF each end a line, and a blank line is no record.
"""

from __future__ import annotations

from dataclasses import dataclass, field

QUOTE = '"'


@dataclass
class Cell:
    """A cell: its text without quotes, and whether it stood in quotes."""

    text: str = ""
    quoted: bool = False

    @property
    def value(self) -> str | None:
        """What the cell says; None for nothing at all."""
        return self.text if self.text or self.quoted else None


@dataclass
class Record:
    """A record: its cells, its raw text with and without the line end, and whether its quotes are in their places."""

    cells: list[Cell] = field(default_factory=list)
    raw: str = ""
    whole: str = ""
    sound: bool = True


@dataclass
class Table:
    """What a text holds; `open` is the text of a record whose quote is never closed."""

    records: list[Record] = field(default_factory=list)
    blank_lines: int = 0
    open: str | None = None


def table(text: str, delimiter: str) -> Table:
    """Read a text."""
    found, at = Table(), 0
    while at < len(text):
        if end := _line_end(text, at):
            found.blank_lines += 1
            at += len(end)
            continue
        start, record = at, Record()
        closed, at = _record(text, at, delimiter, record)
        if not closed:
            found.open = text[start:]
            break
        record.raw = text[start:at]
        at += len(_line_end(text, at))
        record.whole = text[start:at]
        found.records.append(record)
    return found


def _record(text: str, at: int, delimiter: str, record: Record) -> tuple[bool, int]:
    """Read one record's cells; return whether every quote is closed, and where the record stops."""
    while True:
        cell = Cell()
        record.cells.append(cell)
        if text[at : at + 1] == QUOTE:
            cell.quoted, at = True, at + 1
            while True:
                if at == len(text):
                    return False, at
                if text[at] != QUOTE:
                    cell.text += text[at]
                elif text[at + 1 : at + 2] == QUOTE:
                    cell.text += QUOTE
                    at += 1
                else:
                    break
                at += 1
            at += 1
        while at < len(text) and text[at] != delimiter and not _line_end(text, at):
            record.sound = record.sound and not cell.quoted and text[at] != QUOTE
            cell.text += text[at]
            at += 1
        if at == len(text) or text[at] != delimiter:
            return True, at
        at += 1


def _line_end(text: str, at: int) -> str:
    if text[at : at + 2] == "\r\n":
        return "\r\n"
    return text[at : at + 1] if text[at : at + 1] in ("\r", "\n") else ""
