"""Reading: a drop's file to blocks of text records, with every bad record named.

reader = Reader(path, name, group.files)
for block in reader: ...
reader.records, reader.blank_lines, reader.incomplete
"""

from __future__ import annotations

from batch.reading.block import ROW, Block, Sizes, Tally
from batch.reading.mended import REPORT
from batch.reading.reader import Reader
from batch.reading.source import delimiter, is_json_lines
from batch.reading.verbatim import Chosen, Part, verbatim

__all__ = [
    "REPORT",
    "ROW",
    "Block",
    "Chosen",
    "Part",
    "Reader",
    "Sizes",
    "Tally",
    "delimiter",
    "is_json_lines",
    "verbatim",
]
