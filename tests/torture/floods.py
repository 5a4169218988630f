"""Files without measure: what they take of memory, in a process of its own, and that they are refused by name."""

from __future__ import annotations

import bz2
import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import zstandard

from torture.trial import End

_PIECE = 16 << 20
_LONG = 4 * _PIECE
_MOST = 700 << 20
"""Bytes that reading may take beside the program itself, whatever the file."""

_CODE = """
import json, resource, sys
from pathlib import Path
from batch.errors import BatchError
from batch.reading import Reader
from config.files import FileFormat

def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

def read(path, name):
    reader = Reader(path, name, FileFormat())
    try:
        for block in reader:
            pass
    except BatchError as error:
        return error.code
    return reader.records

warm = Path(sys.argv[1]).with_name("warm.csv")
warm.write_bytes(b"a,b\\n1,\\"2\\"\\n")
read(warm, "a.csv"), read(warm, "a.jsonl")
before = used()
print(json.dumps([read(Path(sys.argv[1]), sys.argv[2]), used() - before]))
"""

WAYS: Mapping[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gz": gzip.compress,
    "zst": zstandard.ZstdCompressor().compress,
    "bz2": bz2.compress,
}


@dataclass(frozen=True)
class Flood:
    """A file that begins somehow and goes on with one thing over and over.

    `codes` are what it may be refused for; or how many records it has, and then it is read to its end.
    """

    case: str
    head: bytes
    again: bytes
    codes: tuple[str | int, ...]
    name: str = "a.csv"
    size: int = 1 << 30


FLOODS = [
    Flood("one line", b"a,b\n1,", b"x", ("file.record.size",)),
    Flood("one quoted value", b'a,b\n1,"', b"x\n", ("file.quote",)),
    Flood("nothing but quotes", b'a,b\n1,"', b'"', ("file.quote", "file.record.size")),
    Flood("a header without end", b"", b"abc,", ("file.record.size", "file.columns")),
    Flood("a record of delimiters", b"a,b\n", b",", ("file.record.size",)),
    Flood("line ends", b"a,b\n", b"\n", (0,), size=_LONG),
    Flood("CR CR LF", b"a,b\n", b"\r\r\n", (0,), size=_LONG),
    Flood("NULs", b"a,b\n1,2\n", b"\0", ("file.encoding", "file.record.size")),
    Flood("a line of JSON", b'{"a":"', b"x", ("file.record.size",), "a.jsonl"),
    Flood("JSON without an end to its depth", b'{"a":', b"[", ("file.record.size",), "a.jsonl"),
    Flood("blank lines of JSON", b'{"a":1}', b"\n", (1,), "a.jsonl", _LONG),
    Flood("small records", b"a\n", b"1\n", (_LONG // 2,), size=_LONG),
    Flood("bad records", b"a\n", b",\n", (_LONG // 2,), size=_LONG),
    Flood("inches", b"a,b\n", b'19","x"\n', (_PIECE // 8,), size=_PIECE),
    Flood("empty objects", b"", b"{}\n", (_PIECE // 3 * 2,), "a.jsonl", 2 * _PIECE),
]


def flooded(flood: Flood, way: str, home: Path, _: str) -> End:
    """Read a flood; what it takes too much of memory, or is not refused for as it should be, is counted."""
    home.mkdir(parents=True)
    pack, name = WAYS[way], flood.name if way == "plain" else f"{flood.name}.{way}"
    piece = pack(flood.again * (_PIECE // len(flood.again)))
    with (home / "drop").open("wb") as file:
        file.write(pack(flood.head))
        for _ in range((flood.size if way != "plain" else min(flood.size, _LONG)) // _PIECE):
            file.write(piece)
    process = subprocess.run(
        [sys.executable, "-c", _CODE, str(home / "drop"), name],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    (home / "drop").unlink()
    if process.returncode:
        return End(stuck=1)
    came, taken = json.loads(process.stdout)
    bomb = {"file.expanded"} if way != "plain" else set()
    return End(wrong=(came not in {*flood.codes, *bomb}) + (taken > _MOST))
