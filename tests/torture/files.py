"""Files that are wrong in every way that is known, read by the program and by an oracle that shares no code with it."""

from __future__ import annotations

import csv
import functools
import io
import itertools
import json
import logging
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import structlog
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from support.oracle import Manner

from torture import corpora, jsonlines, soups, tables
from torture.agreement import agreed
from torture.floods import FLOODS, WAYS, flooded
from torture.passage import passage
from torture.tables import GOOD, HEADER
from torture.trial import End, Trial
from torture.variant import CSV, JSONL, Variant

SOUPS = 100
"""Trials of a hundred soups each."""

EXAMPLES = 300
_AT_A_TIME = 40
_MEMBERS = ("id", "n", "namn", "x", "ok", "tags", "a", "b")


def read(variant: Variant, home: Path, _: str) -> End:
    """Read a file whole, and in small blocks or in pieces that end anywhere."""
    size, chance = len(variant.data), random.Random(variant.case)
    parts = [chance.randint(size // 20 + 1, size // 2 + 2)]
    way = {"blocks": parts} if chance.random() < 0.5 else {"pieces": parts}
    end = agreed(home, variant.data, variant.manner, **way)
    end.struck = variant.data != GOOD or variant.manner != CSV
    return end


def stirred(recipe: Callable[[random.Random], Variant], number: int, count: int, home: Path, _: str) -> End:
    """Read some soups of one kind."""
    chance, end = random.Random(number), End()
    for _ in range(count):
        soup = recipe(chance)
        came = agreed(home, soup.data, soup.manner, [chance.randint(1, 30)], [chance.randint(1, 15)])
        end.wrong += came.wrong
        end.stuck += came.stuck
    return end


def taken(variants: Sequence[Variant], columns: tuple[str, ...], home: Path, ledger_url: str) -> End:
    """Take files the whole way, to a destination."""
    end = End()
    with passage(home, ledger_url, columns) as there:
        for number, variant in enumerate(variants):
            came = there.agrees(number, variant.data, variant.manner)
            end.wrong += came.wrong
            end.stuck += came.stuck
    return end


def drawn(is_json: bool, number: int, examples: int, home: Path, _: str) -> End:
    """Let hypothesis write tables or JSON lines, spoil a few bytes, and find the least that is not agreed on."""
    manner, data = (JSONL, _LINES) if is_json else (CSV, _TABLES)

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=data, spoils=st.lists(_SPOILS, max_size=3), block=st.integers(1, 40), piece=st.integers(1, 40))
    def holds(data: bytes, spoils: list[tuple[float, int, bytes]], block: int, piece: int) -> None:
        assert agreed(home, functools.reduce(_spoiled, spoils, data), manner, [block], [piece]).good

    try:
        holds()
    except AssertionError as error:
        print(*getattr(error, "__notes__", []), sep="\n")
        return End(wrong=1)
    return End()


def _table(rows: list[list[str]], quoting: int, end: str, cut: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator=end, delimiter=cut, escapechar="\\").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


_LETTERS = st.characters() | st.sampled_from(",;\"\n\r\t'\\ =\0\ufeff\x85\u2028")
_CELLS = st.text(_LETTERS, max_size=6)
_TABLES = st.builds(
    _table,
    st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(_CELLS, min_size=width, max_size=width), max_size=8)),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([",", ",", ";"]),
)
_SCALARS = st.one_of(_CELLS, st.integers(), st.floats(), st.booleans(), st.none())
_VALUES = st.one_of(_SCALARS, st.lists(_SCALARS, max_size=3), st.dictionaries(_CELLS, _SCALARS, max_size=2))
_RECORDS = st.dictionaries(_CELLS | st.sampled_from("abc"), _VALUES, max_size=4)
_LINES = st.builds(
    lambda records, ends, ascii_only: b"".join(
        json.dumps(record, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") + end
        for record, end in zip(records, itertools.cycle(ends))
    ),
    st.lists(_RECORDS, max_size=6),
    st.lists(st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n"]), min_size=1, max_size=3),
    st.booleans(),
)
_SPOILS = st.tuples(
    st.floats(0, 1), st.integers(0, 3), st.binary(max_size=3) | st.sampled_from([b'"', b",", b"\n", b"{"])
)


def _spoiled(data: bytes, spoil: tuple[float, int, bytes]) -> bytes:
    """Take some bytes out at a place, and put others in."""
    place = int(spoil[0] * len(data))
    return data[:place] + spoil[2] + data[place + spoil[1] :]


def usual(variants: Iterable[Variant]) -> list[Variant]:
    """Return the files that a group can get that writes its files in the usual way and has the usual limits."""
    usual = Manner()
    return [one for one in variants if one.manner == Manner(one.manner.name, record=usual.record)]


def passages(seed: int) -> Iterator[Trial]:
    """Yield some of all files, to be taken the whole way."""
    chance = random.Random(seed)
    whole = usual([*tables.files(), *tables.packed()]) + chance.sample(list(tables.places()), 200)
    lines = chance.sample(usual(jsonlines.lines()), 300)
    for what, variants, columns in (("tables", whole, tuple(HEADER)), ("JSON lines", lines, _MEMBERS)):
        for start in range(0, len(variants), _AT_A_TIME):
            some = variants[start : start + _AT_A_TIME]
            run = functools.partial(taken, some, columns)
            yield Trial("files: the whole way", f"{what} {start} to {start + len(some)}", run)


def readings() -> Iterator[Trial]:
    """Yield every polluted file."""
    kinds: dict[str, Callable[[], Iterable[Variant]]] = {
        "files: a mistake in a row and a column": tables.places,
        "files: a table wrong as a whole": tables.files,
        "files: compressed": tables.packed,
        "files: JSON lines": jsonlines.lines,
    }
    for line, variants in kinds.items():
        for variant in variants():
            yield Trial(line, variant.case, functools.partial(read, variant))


def stirrings(seed: int) -> Iterator[Trial]:
    """Yield what nobody would write."""
    recipes = itertools.cycle([soups.soup, soups.json_soup])
    for number, recipe in zip(range(seed, seed + SOUPS), recipes, strict=False):
        yield Trial("files: soup", f"{recipe.__name__} {number}", functools.partial(stirred, recipe, number, 100))
    for number in range(12):
        variant = soups.inches(random.Random(seed + number))
        yield Trial("files: misplaced quotes in a large table", str(seed + number), functools.partial(read, variant))
    for number in range(seed, seed + 20):
        run = functools.partial(drawn, number % 2 == 0, number, EXAMPLES)
        yield Trial("files: drawn by hypothesis", str(number), run)


def floods() -> Iterator[Trial]:
    """Yield files without measure, plain and as bombs."""
    for flood, way in itertools.product(FLOODS, WAYS):
        yield Trial("files: floods", f"{flood.case}, {way}", functools.partial(flooded, flood, way))


def trials(seed: int) -> Iterator[Trial]:
    """Yield all; the process is made silent for them."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield from readings()
    yield from passages(seed)
    yield from corpora.trials()
    yield from stirrings(seed)
    yield from floods()
