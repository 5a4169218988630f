"""Downloads: what stands in a file that a destination offers, whichever of the usual forms it has."""

from __future__ import annotations

import csv
import io
import json
import zlib

from integrations.exchange import JSON

_MOST = 64 << 20
"""Bytes that a packed file may unpack to; what comes after them is not read, so that nobody is named by it."""


def entries(body: bytes) -> list[JSON]:
    """Return the entries of a file: JSON, JSON lines, or CSV with a line of names; packed with gzip or not.

    The first line of a CSV is returned too, for some have no names: an entry is sought by what it holds.

    Raises:
        ValueError: when it is not text.
    """
    text = (_unpacked(body) if body[:2] == b"\x1f\x8b" else body).decode("utf-8-sig")
    for read in (json.loads, _lines):
        try:
            return _listed(read(text))
        except ValueError:
            continue
    first = text.partition("\n")[0]
    rows = list(csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count)))
    return [dict(zip(rows[0], row, strict=False)) for row in rows]


def _unpacked(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, _MOST)
    except zlib.error:
        raise ValueError("the file begins like gzip and is none") from None


def _lines(text: str) -> list[JSON]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _listed(document: JSON) -> list[JSON]:
    """Return the list that a document is, or the one that it wraps."""
    if isinstance(document, dict):
        lists = [it for it in document.values() if isinstance(it, list) and any(isinstance(one, dict) for one in it)]
        return lists[0] if len(lists) == 1 else [document]
    return document if isinstance(document, list) else [document]
