"""Many lines of JSON at a time: fast, and silent (None) about any block in which something may be wrong."""

from __future__ import annotations

import gc
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from batch.reading.digits import Digits

_SCALARS = {str, int, Digits, bool}
_MINUS_ZERO = re.compile(rb"-0(?<=[:,\[\s]-0)(?![.eE\d])")  # an int cannot carry its sign

Columns = dict[str, list[Any]]

MOST_CELLS = 4_000_000
"""How many cells a block may have: records that share no keys would make a frame large beyond all measure."""


@lru_cache(maxsize=8)  # making one takes longer than reading some records with it
def _decoder(keys: tuple[str, ...]) -> Callable[[bytes], Any]:
    """Make the decoder for records with these keys: structs, which cost half of what dicts do."""
    fields = [(f"f{place}", Any, UNSET) for place in range(len(keys))]
    names = {f"f{place}": key for place, key in enumerate(keys)}
    kind = msgspec.defstruct("Record", fields, rename=names, gc=False, forbid_unknown_fields=True)
    return msgspec.json.Decoder(kind, float_hook=Digits).decode


_KEYLESS = _decoder(())
_AS_DICT = msgspec.json.Decoder(dict[str, Any], float_hook=Digits).decode


class Quick:
    """A parser of blocks of lines that remembers the keys of the last block: those of the next are often the same."""

    def __init__(self, most: int) -> None:
        """Say nothing of records that have more than `most` keys together."""
        self._most = most
        self._keys: tuple[str, ...] = ()
        self._decode = _KEYLESS

    def columns(self, lines: Sequence[bytes]) -> Columns | None:
        """Return the values of each key, `UNSET` where a record lacks it; None when a line may be no good record."""
        text = b"\n".join(lines)
        if b"\\u0000" in text:
            return None
        try:
            with _collector_paused():
                records = self._records(lines)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            return None
        columns = {key: list(map(attrgetter(f"f{place}"), records)) for place, key in enumerate(self._keys)}
        return columns if _sound(text, columns) else None

    def _records(self, lines: Sequence[bytes]) -> list[Any]:
        try:
            return list(map(self._decode, lines))
        except msgspec.ValidationError:  # perhaps a key that is not known yet
            keys = tuple(dict.fromkeys(chain.from_iterable(map(_AS_DICT, lines))))
            if set(keys) <= set(self._keys) or len(keys) > self._most or len(keys) * len(lines) > MOST_CELLS:
                raise
            self._keys, self._decode = keys, _decoder(keys)
            return list(map(self._decode, lines))


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the garbage collector from looking through all the lists of a block again and again while it is decoded."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _count(values: list[Any]) -> Counter[type]:
    kinds = set(map(type, values))
    return Counter(dict.fromkeys(kinds, len(values)) if len(kinds) == 1 else map(type, values))


def _sound(text: bytes, columns: Columns) -> bool:
    """Return whether every value is flat and every key and text of the block is accounted for.

    A key that stands twice in a record is lost in decoding; but then the block has more quotes than its keys and
    texts explain. Escaped quotes do not count; what is left of a `\\\\` is no escape.
    """
    keys = texts = 0
    zeros = False
    for values in columns.values():
        kinds = _count(values)
        keys += len(values) - kinds[UnsetType]
        if list in kinds:
            lists = values if len(kinds) == 1 else [value for value in values if type(value) is list]
            items = _count(list(chain.from_iterable(lists)))
            if not items.keys() <= _SCALARS:
                return False
            texts += items[str]
            zeros = zeros or int in items
        if dict in kinds:
            return False
        texts += kinds[str]
        zeros = zeros or (int in kinds and 0 in values)
    quotes = text.count(b'"')
    if b"\\" in text:
        quotes -= text.replace(b"\\\\", b"").count(b'\\"')
    if quotes != 2 * (keys + texts):
        return False
    return not (zeros and b"-0" in text and _MINUS_ZERO.search(text))
