"""JSON lines that went wrong: a good file of 84 lines, each time with one mistake."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

from support.oracle import MARKS, Manner

from torture.tables import GOOD, ROWS
from torture.variant import CSV, JSONL, Variant

BAD_LINES = [
    b"{", b"}", b"{}{}", b"[]", b"[{}]", b"1", b'"x"', b"null", b"true", b"not json", b"{'a':1}", b"{a:1}", b'{"a"}',
    b'{"a":}', b'{"a":1,}', b'{,"a":1}', b'{"a":1 "b":2}', b'{"a":1} x', b'{"a":1}//', b'{"a":01}', b'{"a":1.}',
    b'{"a":.5}', b'{"a":+1}', b'{"a":1e}', b'{"a":0x1}', b'{"a":-}', b'{"a":NaN}', b'{"a":Infinity}',
    b'{"a":-Infinity}', b'{"a":True}', b'{"a":nul}', b'{"a":"\t"}', b'{"a":"\x0b"}', b'{"a":"\x00"}', b'{"a":"\\x"}',
    b'{"a":"\\u12"}', b'{"a":"\\u+123"}', b'{"a":"x}', b'{"a":\'x\'}', b'{"a":"\\u0000"}', b'{"\\u0000":1}',
    b'{"a":["\\u0000"]}', b'{"a":"\\ud800"}', b'{"a":"\\udc00\\ud800"}', b'{"a":["\\udfff"]}', b'{"\\ud800":1}',
    b'{"a":1,"a":1}', b'{"a":1,"\\u0061":1}', b'{"a":{"b":1,"b":1}}', b'{"a":{}}', b'{"a":{"b":1}}', b'{"a":[[]]}',
    b'{"a":[{}]}', b'{"a":[null]}', b'{"a":[1,[2]]}', b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", b'{"a":' * 5000,
    b"[" * 100_000, b'{"a":' + b'{"a":' * 5000 + b"1" + b"}" * 5001, b"\xef\xbb\xbf{}", b'{"a":1}\x00', b"\x00" * 9,
    b"\x1e{}", b"\xc2\xa0{}", b"\xe2\x80\xa8", b'{"a":1}\x0c', b'{"a" \x0b:1}', b'{"a":"\x7f"',
    b'{"data":{"a":1},"group_key":"abc"}',
]  # fmt: skip
ODD_LINES = [
    b"{}", b" { } ", b'\t{"a":1}', b'{"":1}', b'{"a":null}', b'{"a":[]}', b'{"a":[""]}', b'{"a":-0}', b'{"a":-0.0}',
    b'{"a":[-0]}', b'{"a":1e400}', b'{"a":-1E-400}', b'{"a":0.10}', b'{"a":123456789012345678901234567890}',
    b'{"a":' + b"9" * 5000 + b"}", b'{"a":9007199254740993}', b'{"a":18446744073709551616}',
    b'{"a":-9223372036854775809}', b'{"a":1.0000000000000000001}', b'{"a":"\\u00e5\\/\\b\\f\\n\\r\\t\\"\\\\"}',
    b'{"a":"\\ud83d\\ude00"}', b'{"a\\ud83d\\ude00":"x"}', b'{"a":"\\\\u0000"}', b'{"a":"\\\\ud800"}',
    '{"a":"\u2028\u2029\x85\ufeff\ufffe\uffff"}'.encode(), b'{"a":"\x7f"}', b'{"a":true,"b":[false,true,1,"x",2.50]}',
    b'{"a":"{\\"a\\":1}"}', b'{"a":"#N/A"}', b'{"_row":1,"_code":"x","a":2}', b'{"_x":1}', b'{"a\\"b":"c\\"d"}',
    b'{"a":"x","b":"y","c":"z"}', b'{"a":"' + b"x" * 999 + b'"}', b'{"a":1,"A":2,"\xc3\xa5":3,"a\xcc\x8a":4}',
    b'{"\\n":1}', b'{"a":"-0"}', b'{"a":[-0,"-0"],"b":-0}',
    b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(300)) + b"}",
]  # fmt: skip
LINES = [
    json.dumps(
        {"id": f"{n:05}", "n": n, "namn": f"Åsa {n}", "x": n / 4, "ok": n % 2 == 0, "tags": ["a"] * (n % 3)},
        ensure_ascii=n % 2 == 0,
    ).encode()
    for n in range(ROWS)
]
WHOLE = b"\n".join(LINES) + b"\n"


def with_line(line: bytes, row: int) -> bytes:
    """Return the good file with another line in place of one."""
    return b"\n".join([*LINES[:row], line, *LINES[row + 1 :]])


def lines() -> Iterator[Variant]:
    """Yield a bad line or an odd one in many places, and files of JSON lines that are wrong as a whole."""
    for kind in (_places, _ends, _marks, _wholes, _sizes):
        yield from kind()


def _places() -> Iterator[Variant]:
    for line, row in itertools.product([*BAD_LINES, *ODD_LINES], (0, 1, 40, 63, 64, ROWS - 1)):
        for end in (b"", b"\n") if row == ROWS - 1 else (b"\n",):
            yield Variant(f"{line[:20]!r} in line {row} {end!r}", with_line(line, row) + end, JSONL)
    for row in range(ROWS):
        yield Variant(f"a bad line {row}", with_line(BAD_LINES[row % len(BAD_LINES)], row) + b"\n", JSONL)


def _ends() -> Iterator[Variant]:
    for cut in range(1, len(LINES[-1]) + 2):
        yield Variant(f"{cut} bytes short", WHOLE[:-cut], JSONL)
    ascii_ends = (
        b"\r\n",
        b"\r",
        b"\r\r\n",
        b"\n\n",
        b"\n \t\n",
        b",\n",
        b"\x1e\n",
        b"\x0b",
        b"\x0c\n",
        b"",
        b" ",
        b"\0\n",
        b";",
    )
    for end in (*ascii_ends, b"\xc2\x85", b"\xe2\x80\xa8"):
        yield Variant(f"line end {end!r}", end.join(LINES), JSONL)
    for head in (b"\n", b" ", b"[", b"\xef\xbb\xbf\xef\xbb\xbf", b"\0", b"\x0b\n", b"id,n\n", b"\xff"):
        yield Variant(f"begins with {head!r}", head + WHOLE, JSONL)
    for tail in (b" ", b"\n\n", b"]", b"\x1a", b"\0", b"\0" * 4096, b"\x0c", b"{", b"\xef\xbb\xbf", b"\xe5"):
        yield Variant(f"ends with {tail!r}", WHOLE + tail, JSONL)
        yield Variant(f"ends with {tail!r} in place of a line end", WHOLE[:-1] + tail, JSONL)


def _marks() -> Iterator[Variant]:
    for mark, encoding in MARKS.items():
        yield Variant(f"{encoding} with a mark", mark + WHOLE.decode().encode(encoding), JSONL)
        yield Variant(f"{encoding} without a mark", WHOLE.decode().encode(encoding), JSONL)
        yield Variant(f"a mark of {encoding} alone", mark, JSONL)


def _wholes() -> Iterator[Variant]:
    yield Variant("an array over many lines", b"[\n" + b",\n".join(LINES) + b"\n]\n", JSONL)
    yield Variant("pretty", b"\n".join(json.dumps(json.loads(line), indent=2).encode() for line in LINES), JSONL)
    yield Variant("a table", GOOD, JSONL)
    yield Variant("lines in a table's name", WHOLE, CSV)
    yield Variant("no key twice", b"".join(b'{"k%d":1}\n' % n for n in range(3000)), JSONL)


def _sizes() -> Iterator[Variant]:
    """Lines, values and records about as large as they may be."""
    small = Manner("a.jsonl", record=3000, value=1000, attributes=9)
    patterns = (b'{"a":"%b"}', b'{"a":["x","%b"]}', b'{"a":%b}', b"%b")
    for length, pattern, letter in itertools.product(
        (999, 1000, 1001, 2990, 3001, 9000), patterns, (b"1", "å".encode())
    ):
        line = pattern % (letter * length)
        yield Variant(f"{pattern!r} of {length} {letter!r}", with_line(line, 40) + b"\n", small)
    for count, manner in ((9, small), (10, small), (100, small), (2000, JSONL), (2001, JSONL)):
        line = json.dumps({f"k{n}": n for n in range(count)}).encode()
        yield Variant(f"{count} attributes", with_line(line, 40) + b"\n", manner)
