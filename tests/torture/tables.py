"""Tables that went wrong the way tables do: a good one of 84 rows and 9 columns, each time with one mistake."""

from __future__ import annotations

import bz2
import gzip
import itertools
from collections.abc import Callable, Iterator, Sequence

import zstandard
from support.oracle import MARKS, Manner

from torture.agreement import in_pieces
from torture.variant import CSV, Variant

ROWS = 84
HEADER = ["id", "email", "namn", "ort", "belopp", "fodd", "taggar", "not", "kod"]


def cells() -> list[list[str]]:
    """Return the raw cells of the good table, its header first: plain, quoted, blank, quoted blank, of many letters."""
    notes = [
        "",
        '""',
        '"en, två"',
        '"rad\nrad"',
        '"sa ""hej"""',
        " blank ",
        "日本語",
        "😀",
        '"\r\n"',
        "=1+1",
        '"\u2028"',
    ]
    rows = [
        [
            f"{n:05}",
            f"p{n}@example.com",
            f"Åsa {n}",
            "Malmö",
            f"{n}.50",
            "1980-02-29",
            "a|b",
            notes[n % len(notes)],
            "00",
        ]
        for n in range(1, ROWS + 1)
    ]
    return [HEADER, *rows]


def table(rows: Sequence[Sequence[str]], *, cut: str = ",", end: str = "\n") -> str:
    """Put raw cells together."""
    return "".join(cut.join(row) + end for row in rows)


TEXT = table(cells())
GOOD = TEXT.encode()


def places() -> Iterator[Variant]:
    """Yield a mistake at every row and every column: a cell's delimiter or quotes."""
    lines = cells()
    for row, column in itertools.product(range(len(lines)), range(len(HEADER))):
        cell = lines[row][column]
        mistakes = {
            "an extra delimiter": [cell, ""],
            "an extra quote": [(f'"{cell}', f'{cell}"', f'{cell[:2]}"{cell[2:]}')[(row + column) % 3]],
            "a value in two": [cell[:1], cell[1:]],
            "no value at all": [],
        }
        for mistake, instead in mistakes.items():
            line = [*lines[row][:column], *instead, *lines[row][column + 1 :]]
            yield Variant(
                f"{mistake}, row {row}, column {column}", table([*lines[:row], line, *lines[row + 1 :]]).encode()
            )
    for row, cut in itertools.product(range(len(lines)), ";\t| "):
        text = table(lines[:row]) + table(lines[row : row + 1], cut=cut) + table(lines[row + 1 :])
        yield Variant(f"delimiter {cut!r} in row {row}", text.encode())


def _recoded() -> Iterator[Variant]:
    """The table in other encodings, declared and not, with marks and without, whole and not."""
    for mark, encoding in MARKS.items():
        yield Variant(f"{encoding} with a mark", mark + TEXT.encode(encoding))
        yield Variant(f"{encoding} without a mark", TEXT.encode(encoding))
        yield Variant(f"{encoding} declared", TEXT.encode(encoding), Manner(encoding=encoding))
        yield Variant(f"{encoding}, cut off inside a letter", mark + TEXT.encode(encoding)[:-1])
        yield Variant(f"a mark of {encoding} alone", mark)
        yield Variant(f"two marks of {encoding}", mark + mark + TEXT.encode(encoding))
    yield Variant("utf-7, its last letters behind a shift", b"a,b\n1,+AOUA5Q", Manner(encoding="utf-7"))
    yield Variant("utf-7, half of a pair", b"a,b\n1,+2AA-\n", Manner(encoding="utf-7"))
    for encoding in ("utf-16", "utf-32", "utf-7", "utf-8-sig", "gb18030"):
        for data in (TEXT.encode(encoding), GOOD):
            yield Variant(f"{encoding} declared, {data[:3]!r}", data, Manner(encoding=encoding))
    swedish, japanese = (
        TEXT.replace("日本語", "").replace("😀", "").replace("\u2028", ""),
        "id,namn\n1,カタカナ\n2,日本\n",
    )
    for encoding in ("latin-1", "cp1252", "iso8859-15", "mac_roman", "cp850"):
        yield Variant(f"{encoding} as utf-8", swedish.encode(encoding))
        yield Variant(f"{encoding} declared", swedish.encode(encoding), Manner(encoding=encoding))
    for encoding in ("shift_jis", "euc_jp", "iso2022_jp", "cp932"):
        yield Variant(f"{encoding} as utf-8", japanese.encode(encoding))
        yield Variant(f"{encoding} declared", japanese.encode(encoding), Manner(encoding=encoding))
    spoils = {
        "overlong slash": b"\xc0\xaf",
        "overlong NUL": b"\xc0\x80",
        "overlong of three": b"\xe0\x80\xaf",
        "a surrogate": b"\xed\xa0\x80",
        "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
        "beyond Unicode": b"\xf4\x90\x80\x80",
        "five bytes": b"\xf8\x88\x80\x80\x80",
        "a byte that follows none": b"\x80",
        "a byte without its next": b"\xe5",
        "FF": b"\xff",
    }
    for spoil, where in itertools.product(spoils, (0, 3, GOOD.index(b"\n") + 1, len(GOOD) // 2, len(GOOD))):
        yield Variant(f"{spoil} at {where}", GOOD[:where] + spoils[spoil] + GOOD[where:])


def _ends() -> Iterator[Variant]:
    """The table with other line ends, blank lines, and other ends of the file."""
    for end in ("\r", "\r\n", "\r\r\n", "\n\r", "\n\n", "\x0b", "\x0c", "\x85", "\u2028", ";\n", " \n", ",\n", "\0\n"):
        yield Variant(f"line end {end!r}", table(cells(), end=end).encode())
        yield Variant(
            f"line end {end!r} once",
            (table(cells()[:9]) + table(cells()[9:10], end=end) + table(cells()[10:])).encode(),
        )
    mixed = "".join(",".join(row) + end for row, end in zip(cells(), itertools.cycle(["\n", "\r\n", "\r"])))
    yield Variant("mixed line ends", mixed.encode())
    for head in (
        "\n",
        "\r\n\r\n",
        " \n",
        ",,,,,,,,\n",
        "sep=,\n",
        "# people\n",
        "Report of 2026\n\n",
        '"',
        "\x1a",
        "\ufeff ",
    ):
        yield Variant(f"begins with {head!r}", head.encode() + GOOD)
    for tail in (
        "",
        "\n\n",
        "\r",
        " ",
        ",",
        '"',
        '""',
        '"x',
        "Total,84",
        "\x1a",
        "\0",
        "\0" * 600,
        "\ufeff",
        *(",".join(row) for row in cells()[:2]),
    ):
        yield Variant(f"ends with {tail!r}", GOOD + tail.encode())
        yield Variant(f"ends with {tail!r} in place of a line end", GOOD[:-1] + tail.encode())
    for cut in range(1, 60):
        yield Variant(f"{cut} bytes short", GOOD[:-cut])


def _headers() -> Iterator[Variant]:
    """The table with other headers."""
    rest = cells()[1:]
    for column, name in itertools.product(
        (0, 4, 8),
        (
            "",
            " ",
            "id",
            "ID",
            '"a\nb"',
            '"a\rb"',
            "\x7f",
            "\t",
            "\0",
            "_row",
            '""',
            '"a""b"',
            'a"b',
            "\u2028",
            "\x85",
            "\ufeff",
            "'=x",
            "å" * 3000,
        ),
    ):
        header = [*HEADER[:column], name, *HEADER[column + 1 :]]
        yield Variant(f"header name {name[:9]!r} in column {column}", table([header, *rest]).encode())
    yield Variant("two headers", table([HEADER, HEADER, *rest]).encode())
    yield Variant("no header", table(rest).encode())
    yield Variant("header only", table([HEADER]).encode())
    yield Variant("header only, no line end", table([HEADER], end="").encode())
    yield Variant("header on two lines", table([HEADER[:4], HEADER[4:], *rest]).encode())
    yield Variant("two tables", (TEXT + "\n" + table([["a", "b"], ["1", "2"]])).encode())
    yield Variant("two tables side by side", table([[*row, "", *row] for row in cells()]).encode())
    yield Variant("10,000 columns", table([[f"c{n}" for n in range(10_000)], ["1"] * 10_000]).encode())
    yield Variant("1,999 columns", table([[f"c{n}" for n in range(1999)], ["1"] * 1999, ["1"] * 2000]).encode())
    report = ["_row", "_integration", "_outcome", "_code", "_column", "_message"]
    said = ["7", "", "invalid", "x", "", "m"]
    yield Variant("an undelivered file", table([[*report, *HEADER], *([*said, *row] for row in rest)]).encode())
    yield Variant("the report's columns alone", table([report, said, said[:3]]).encode())
    yield Variant("half of the report's columns", table([[*report[:3], "a"], [*said[:3], "1"]]).encode())
    neutral = ["'=1", "''=1", "'", "'a", "=1", "'-5", "'\t", '"\'\n"', "'@"]
    mended = [[*report, *HEADER], [*said, *neutral], neutral, [*said, *neutral, "'=x"], [*said, '"a"b', *neutral[1:]]]
    yield Variant("neutralised texts", table(mended).encode())


def _dialects() -> Iterator[Variant]:
    """The table in another dialect than declared, and as declared; quotes and escapes that are not RFC 4180's."""
    for cut in ";\t|:^ ~!":
        data = table(cells(), cut=cut).encode()
        yield Variant(f"delimiter {cut!r}", data)
        yield Variant(f"delimiter {cut!r} declared", data, Manner(delimiter=cut))
        yield Variant(f"delimiter {cut!r} declared, commas written", GOOD, Manner(delimiter=cut))
    yield Variant("tabs in .tsv", table(cells(), cut="\t").encode(), Manner("a.tsv"))
    yield Variant("commas in .tsv", GOOD, Manner("a.tsv"))
    yield Variant("two delimiters for one", table(cells(), cut=",,").encode())
    yield Variant("a space after the delimiter", table(cells(), cut=", ").encode())
    yield Variant("a space before the delimiter", table(cells(), cut=" ,").encode())
    yield Variant("single quotes", TEXT.replace('"', "'").encode())
    yield Variant("curly quotes", TEXT.replace('"', "”").encode())
    yield Variant("quotes escaped by a backslash", TEXT.replace('""hej""', r"\"hej\"").encode())
    yield Variant("every quote twice", TEXT.replace('"', '""').encode())
    yield Variant(
        "all in quotes", table([[f'"{cell}"' if '"' not in cell else cell for cell in row] for row in cells()]).encode()
    )
    yield Variant(
        "every line in quotes", table([['"' + ",".join(row).replace('"', '""') + '"'] for row in cells()]).encode()
    )
    yield Variant("inches", table([[*row[:-1], '19"'] for row in cells()]).encode())
    for one in ("", '"', ",", "\n", "\r", "\0", " ", "\t", "'", "\\", '""', '","', "\n,", '"\n"', "\ufeff"):
        for times in (1, 2, 7, 5000):
            yield Variant(f"{times} times {one!r}", (one * times).encode())
            yield Variant(f"a header and {times} times {one!r}", ("a,b\n" + one * times).encode())
            yield Variant(f"one column and {times} times {one!r}", ("a\n" + one * times).encode())


def _sizes() -> Iterator[Variant]:
    """Records and values about as large as they may be."""
    small = Manner(record=3000, value=1000, attributes=9)
    lines = cells()
    for length in (990, 999, 1000, 1001, 2800, 3001, 4000, 20_000):
        for filler in ("x", '"x"', '"\n"', "å", '"'):
            cell = filler[:1] + filler[1:2] * length + filler[2:] if len(filler) == 3 else filler * length
            for row in (1, 40, ROWS):
                data = table([*lines[:row], [*lines[row][:-1], cell], *lines[row + 1 :]]).encode()
                yield Variant(f"{length} times {filler!r} in row {row}", data, small)
    yield Variant("nine columns and no more", GOOD, small)
    yield Variant("ten columns", table([[*row, "x"] for row in lines]).encode(), small)


def packed() -> Iterator[Variant]:
    """Yield the table compressed, under right and wrong names, whole, damaged, cut short, in several members."""
    ways: dict[str, Callable[[bytes], bytes]] = {
        "gz": gzip.compress,
        "zst": zstandard.ZstdCompressor().compress,
        "bz2": bz2.compress,
    }
    for way, compress in ways.items():
        data = compress(GOOD)
        for name in ("a.csv", *(f"a.csv.{other}" for other in ways)):
            yield Variant(f"{way} under the name {name}", data, Manner(name))
        name = Manner(f"a.csv.{way}")
        yield Variant(f"{way}, empty", compress(b""), name)
        yield Variant(f"{way}, two members", compress(GOOD[:999]) + compress(GOOD[999:]), name)
        yield Variant(f"{way}, an empty member first", compress(b"") + data, name)
        yield Variant(f"{way} twice", compress(data), name)
        yield Variant(f"{way} and garbage", data + b"garbage", name)
        yield Variant(f"{way} and NULs", data + b"\0" * 512, name)
        yield Variant(f"{way} and the beginning of another", data + data[:9], name)
        yield Variant(f"{way}, plain text under the name", GOOD, name)
        yield Variant(f"{way}, UTF-16 within", compress(b"\xff\xfe" + TEXT.encode("utf-16-le")), name)
        for cut in sorted({1, 2, 4, 8, 9, len(data) // 2, len(data) - 1, len(data) - 3, len(data) - 5}):
            yield Variant(f"{way}, cut off at {cut}", data[:cut], name)
        for place in range(0, len(data), 29):
            yield Variant(
                f"{way}, a bit wrong at {place}", data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :], name
            )
    yield Variant("gz in pieces", in_pieces(GOOD, 50))
    yield Variant("a ZIP archive", b"PK\x03\x04" + GOOD)


def files() -> Iterator[Variant]:
    """Yield tables that are wrong as a whole."""
    nuls = (Variant(f"a NUL at {at}", GOOD[:at] + b"\0" + GOOD[at:]) for at in range(0, len(GOOD), 97))
    every = itertools.chain(_recoded(), _ends(), _headers(), _dialects(), _sizes(), nuls)
    return (variant for variant in every if variant.data != GOOD or variant.manner != CSV)
