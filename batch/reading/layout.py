"""Where the delimited records of a block of text begin and end, found over the bytes with no parser's help.

Quotes decide what a delimiter or a line end is. In text whose quotes are all in their places, a byte stands inside
a quoted value when the quotes before it are odd in number; so the whole block is laid out by a running parity, and
only from a misplaced quote on is it read record by record (`token`), until the quotes are in their places again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batch.errors import BatchError
from batch.reading.block import Sizes
from batch.reading.buffers import buffers, line_ends
from batch.reading.token import record

BROKEN = -1
_WINDOW, _STRIDE = 32 << 10, 8  # after a misplaced quote: bytes to scan, and records to read one by one, at first
_QUOTE, _LF, _CR = b'"\n\r'

_Ints = npt.NDArray[np.int64]
_Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The records of a text, blank lines left out: where each starts, where it has ended (its line end counted in),
    and how many fields it has (`BROKEN` when its quotes are misplaced). `line` is the number of the text's first line.
    """

    text: bytes
    line: int
    blank_lines: int
    starts: _Ints
    afters: _Ints
    fields: _Ints

    def __len__(self) -> int:
        return len(self.starts)

    def without_first(self) -> Layout:
        """Return the layout of the records after the first."""
        rest = (self.starts[1:], self.afters[1:], self.fields[1:])
        return Layout(self.text, self.line, self.blank_lines, *rest)

    def record(self, index: int) -> bytes:
        """Return a record's text without its line end."""
        return self.text[self.starts[index] : self.afters[index]].removesuffix(b"\n").removesuffix(b"\r")

    def line_of(self, index: int) -> int:
        """Return the number of the line on which a record starts."""
        return self.line + line_ends(self.text, int(self.starts[index]))

    def kept(self, good: Mask) -> bytes:
        """Return the text of some records, with nothing between them and no line ended by a CR alone."""
        starts, afters = self.starts[good], self.afters[good]
        if not len(starts):
            return b""
        codes = np.frombuffer(self.text, dtype=np.uint8)
        lone = afters[codes[afters - 1] == _CR] - 1
        if not len(lone) and np.array_equal(starts[1:], afters[:-1]):
            return self.text[starts[0] : afters[-1]]
        steps = np.zeros(len(codes) + 1, dtype=np.int8)
        steps[starts] += 1
        steps[afters] -= 1
        codes = codes.copy()
        codes[lone] = _LF
        return codes[np.cumsum(steps[:-1], dtype=np.int8).view(np.bool_)].tobytes()


def layouts(pieces: Iterable[bytes], delimiter: int, sizes: Sizes) -> Iterator[Layout]:
    """Yield the layout of the text block by block.

    Raises:
        BatchError: `file.quote` when a quote is not closed, `file.record.size` when a record is too large.
    """
    tail, line = b"", 1
    for piece, last in buffers(pieces, sizes.block):
        text = tail + piece
        if last and text and text[-1] not in (_LF, _CR):
            text += b"\n"
        held = b"\r" if text.endswith(b"\r") and not last else b""  # perhaps the first half of CR LF
        layout, end = _lay(text[: len(text) - len(held)], delimiter, line)
        if len(layout) and int((layout.afters - layout.starts).max()) > sizes.record:
            raise _too_large(layout.line_of(int((layout.afters - layout.starts).argmax())), sizes)
        yield layout
        tail, line = text[end:], line + line_ends(text, end)
        if tail and (last or len(tail) > sizes.record):
            _refuse(tail, delimiter, line, sizes)


def _lay(text: bytes, delimiter: int, line: int) -> tuple[Layout, int]:
    """Lay out the whole records of a text; return also where they end."""
    parts: list[tuple[_Ints, _Ints]] = []
    end, window, stride = 0, len(text), _STRIDE

    def keep(afters: _Ints, fields: _Ints) -> int:
        parts.append((afters, fields))
        return int(afters[-1]) if len(afters) else end

    while True:
        limit = text.find(b"\n", end + window) + 1 or len(text)
        afters, fields, misplaced = _scan(text, end, limit, delimiter)
        end = keep(afters, fields)
        if misplaced:
            afters, fields = _read(text, end, delimiter, stride)
            end = keep(afters, fields)
            if len(afters) < stride:
                break
            dense = 2 * np.count_nonzero(fields == BROKEN) > stride
            window, stride = _WINDOW, stride * 2 if dense else _STRIDE
        elif limit == len(text):
            break
        else:
            window *= 4
    afters, fields = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    starts = np.concatenate((np.zeros(min(1, len(afters)), dtype=np.int64), afters[:-1]))
    first = np.frombuffer(text, dtype=np.uint8)[starts]
    filled = (first != _LF) & (first != _CR)
    blank = len(filled) - int(np.count_nonzero(filled))
    if blank:
        starts, afters, fields = starts[filled], afters[filled], fields[filled]
    return Layout(text, line, blank, starts, afters, fields), end


def _scan(text: bytes, start: int, end: int, delimiter: int) -> tuple[_Ints, _Ints, bool]:
    """Return where records end and their fields, up to the first misplaced quote, and whether there is one."""
    codes = np.frombuffer(text, dtype=np.uint8)[start:end]
    stops = codes == _LF
    stops |= codes == delimiter
    breaks = stops
    if text.find(b"\r", start, end) >= 0:
        carriage = codes == _CR
        breaks = stops | carriage  # after a closing quote, the CR of CR LF will do
        carriage[:-1] &= codes[1:] != _LF
        stops |= carriage
    limit = None
    if text.find(b'"', start, end) >= 0:
        quotes = codes == _QUOTE
        inside = _odd(quotes)
        limit = _misplaced(quotes, inside, breaks)
        stops &= ~inside
    places = np.flatnonzero(stops[:limit])
    records = np.flatnonzero(codes[places] != delimiter)
    return places[records] + (start + 1), np.diff(records, prepend=-1), limit is not None


def _odd(quotes: Mask) -> Mask:
    """Return for every byte whether the quotes up to and with it are odd in number (parity by words of 64 bytes)."""
    bits = np.packbits(quotes, bitorder="little")
    words = np.zeros(-(-len(bits) // 8), dtype="<u8")
    words.view(np.uint8)[: len(bits)] = bits
    for shift in (1, 2, 4, 8, 16, 32):
        words ^= words << np.uint64(shift)
    carried = np.bitwise_xor.accumulate(words >> np.uint64(63))
    words[1:] ^= np.uint64(0) - carried[:-1]
    return np.unpackbits(words.view(np.uint8), count=len(quotes), bitorder="little").view(np.bool_)


def _misplaced(quotes: Mask, inside: Mask, breaks: Mask) -> int | None:
    """Return the place of the first quote that neither opens a value at its start nor closes it at its end."""
    opening = quotes & inside
    edges = breaks | quotes  # `""` inside a value reads as closing and opening again
    wrong = np.zeros(len(quotes), dtype=np.bool_)
    wrong[1:] = opening[1:] > edges[:-1]
    wrong[:-1] |= (quotes > opening)[:-1] > edges[1:]
    return int(wrong.argmax()) if wrong.any() else None


def _read(text: bytes, start: int, delimiter: int, count: int) -> tuple[_Ints, _Ints]:
    """Lay out up to `count` whole records one by one."""
    afters: list[int] = []
    fields: list[int] = []
    while len(afters) < count and start < len(text):
        found = record(text, start, delimiter)
        if found.stop == len(text):
            break
        start = found.stop + (2 if text.startswith(b"\r\n", found.stop) else 1)
        afters.append(start)
        fields.append(len(found.cells) if found.sound else BROKEN)
    return np.array(afters, dtype=np.int64), np.array(fields, dtype=np.int64)


def _refuse(tail: bytes, delimiter: int, line: int, sizes: Sizes) -> None:
    opened = record(tail, 0, delimiter).opened if b'"' in tail else None  # there may be millions of cells
    if opened is None:
        raise _too_large(line, sizes)
    raise BatchError(
        "file.quote",
        f"A quote opens a value at line {line + line_ends(tail, opened)} and is not closed. "
        "Close it there; a quote inside a quoted value is written twice.",
    )


def _too_large(line: int, sizes: Sizes) -> BatchError:
    return BatchError(
        "file.record.size",
        f"The record at line {line} is larger than {sizes.record:,} bytes. Look for a missing line end or quote.",
    )
