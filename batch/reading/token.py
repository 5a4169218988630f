"""One delimited record at a time: slow, exact, and able to say what is wrong with its quotes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_QUOTED = re.compile(rb'"(?:[^"]++|"")*+"')


class Record(NamedTuple):
    """A record's raw cells (quotes still on) and where it stops.

    `stop` is the place of its line end, or of the text's end. `sound` is False when a quote stands where none may;
    `opened` is the place of a quote that the text does not close.
    """

    cells: list[bytes]
    stop: int
    sound: bool
    opened: int | None = None


@lru_cache(maxsize=8)
def _bare(delimiter: int) -> re.Pattern[bytes]:
    return re.compile(rb"[^\r\n" + re.escape(bytes([delimiter])) + rb"]*+")


def record(text: bytes, start: int, delimiter: int) -> Record:
    """Read the record that starts at a place in the text.

    A quote opens a value only as its first character. After a misplaced one the value goes on as it stands, to
    the next delimiter or line end, so that the records after it can be read.
    """
    bare = _bare(delimiter)
    cells: list[bytes] = []
    sound = True
    at = start
    while True:
        begin = at
        if text[at : at + 1] == b'"':
            quoted = _QUOTED.match(text, at)
            if quoted is None:
                return Record(cells, len(text), sound, begin)
            at = quoted.end()
            rest = bare.match(text, at)
            sound = sound and not (rest and rest.group())
        else:
            rest = bare.match(text, at)
            sound = sound and not (rest and b'"' in rest.group())
        at = rest.end() if rest else at
        cells.append(text[begin:at])
        if at >= len(text) or text[at] != delimiter:
            return Record(cells, at, sound)
        at += 1


def value(cell: bytes) -> str | None:
    """Return what a raw cell of a sound record says; None for nothing at all, which is not an empty text."""
    if cell[:1] == b'"':
        return cell[1:-1].replace(b'""', b'"').decode()
    return cell.decode() or None
