"""Any declared encoding to UTF-8, strictly: a byte that does not fit refuses the file."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator

from batch.errors import BatchError

_MARKS = (  # the longer ones first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_Decode = Callable[[bytes, bool], str]
_Convert = Callable[[bytes], bytes]
_ZIP = b"PK\x03\x04"
_KANA = re.compile("[\u3041-\u30ff]")
_HEAD = 4096  # bytes that tell by their NULs whether they are text
_SAMPLE = 64 << 10


def utf8(pieces: Iterable[bytes], declared: str) -> Iterator[bytes]:
    """Yield the text as UTF-8 without a byte order mark; a mark at the start outranks the declared encoding.

    Raises:
        BatchError: `file.encoding` when the bytes are something else, naming what they seem to be.
    """
    remaining = iter(pieces)
    head = b""
    for piece in remaining:
        head += piece
        if len(head) >= _HEAD:
            break
    mark, encoding = next((pair for pair in _MARKS if head.startswith(pair[0])), (b"", declared))
    same = codecs.lookup(encoding).name in {"utf-8", "utf-8-sig"}
    _refuse_binary(head, same)
    decode = codecs.getincrementaldecoder(encoding)("strict").decode
    convert = _checked(decode) if same else _converted(decode)
    line = 1
    piece = head.removeprefix(mark)
    while piece:
        yield _strictly(convert, piece, encoding, line)
        line += piece.count(b"\n")
        piece = next(filter(None, remaining), b"")
    yield _strictly(convert, b"", encoding, line)


def _checked(decode: _Decode) -> _Convert:
    """Return what makes sure that a piece (the last is empty) is text; it need not be encoded again."""

    def convert(piece: bytes) -> bytes:
        decode(piece, not piece)
        return piece

    return convert


def _converted(decode: _Decode) -> _Convert:
    return lambda piece: decode(piece, not piece).encode()


def _strictly(convert: _Convert, piece: bytes, encoding: str, line: int) -> bytes:
    try:
        return convert(piece)
    except UnicodeDecodeError as error:
        data, start = bytes(error.object), error.start
    except UnicodeError:  # a mark that must be there is not, or half of a surrogate pair came out
        data, start = piece, 0
    if not piece:
        raise BatchError(
            "file.encoding",
            f"The file ends in the middle of a letter, at line {line}: it is not whole, or not {encoding}.",
        )
    line += data.count(b"\n", 0, start)
    sample = data[data.rfind(b"\n", 0, start) + 1 :][:_SAMPLE]
    raise BatchError(
        "file.encoding",
        f"The bytes at line {line} are not {encoding}; the file looks like {likely(sample)}. "
        "Save it as UTF-8, or set `files.encoding` to what it is.",
    )


def _refuse_binary(head: bytes, as_utf8: bool) -> None:
    """Refuse what decodes without an error and is yet not text."""
    if head.startswith(_ZIP):
        raise BatchError(
            "file.encoding", "This is a ZIP archive or an Excel workbook, not text. Save it as CSV (UTF-8)."
        )
    sample = head[:_HEAD]
    if as_utf8 and sample.count(0) * 4 > len(sample):
        kind = "utf-16-le" if sample[1:2] == b"\0" else "utf-16-be"
        raise BatchError(
            "file.encoding",
            f"The bytes are not utf-8 text; the file looks like {kind}. "
            "Save it as UTF-8, or set `files.encoding` to what it is.",
        )


def likely(sample: bytes) -> str:
    """Return the encoding that some bytes are probably in; every one fits Latin-1, so that comes last."""
    if sample.count(0) * 4 > len(sample):
        return "utf-16"
    if _fits(sample, "utf-8") is not None:
        return "utf-8"
    if _KANA.search(_fits(sample, "shift_jis") or ""):  # Western text seldom decodes as Japanese, and never to kana
        return "shift_jis"
    return "cp1252" if _fits(sample, "cp1252") is not None else "latin-1"


def _fits(sample: bytes, encoding: str) -> str | None:
    try:  # not final: the sample may end inside a character
        return codecs.getincrementaldecoder(encoding)("strict").decode(sample)
    except UnicodeDecodeError:
        return None
