"""Files that nobody would write: of whatever falls into them."""

from __future__ import annotations

import random

from torture.variant import JSONL, Variant

_SOUP = [*',,,"""\n\n\r', "\r\n", '""', ',"', '",', '"\n', '\n"', *"\t;'\\ ab1=+é\x0b\x0c\x85\u2028\ufeff\x00😀"]
_JSON_SOUP = [
    *'{}[]":,\n\r\\ \x0b\x00\ufeffé\u2028', '"a"', '"a":', "null", "true", "NaN", "-0", "1", "1.50", "1e5", "[[",
    '{"a":', '{"a":1}\n', '{"b":"x"}\n', '{"a":["x",1]}\n', '"_row":1,', "\\\\", '\\"', "\\u0000", "\\ud800",
    "\\ud83d\\ude00", "12345678901234567890123",
]  # fmt: skip


def soup(chance: random.Random) -> Variant:
    """Return a file of whatever falls into it."""
    head, most = chance.choice(["", "a,b\n", "a,b\n", "a\n", "a,b,c\r\n"]), chance.choice([10, 30, 100])
    return Variant("soup", (head + "".join(chance.choices(_SOUP, k=chance.randint(0, most)))).encode())


def json_soup(chance: random.Random) -> Variant:
    """Return JSON lines of whatever falls into them."""
    text = "".join(chance.choices(_JSON_SOUP, k=chance.randint(0, 14)))
    return Variant("soup", (chance.choice(["", '{"a":1}\n']) + text).encode(), JSONL)


INCHES, SIZES = '19"', ["x", "y y", '"a,b"']


def inches(chance: random.Random) -> Variant:
    """Return a large table in which quotes are misplaced here and there, now seldom and now in most records."""
    rows = []
    for _ in range(60):
        often, count = chance.choice([0, 0, 0.02, 0.3, 1]), chance.randint(1, 120)
        rows += [f"{n},{INCHES if chance.random() < often else chance.choice(SIZES)}" for n in range(count)]
    return Variant("inches", ("n,size\n" + "\n".join(rows)).encode())
