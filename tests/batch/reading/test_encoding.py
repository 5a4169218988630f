"""Encodings: strictly what is declared, or what a byte order mark says."""

from __future__ import annotations

import codecs
import gzip
from typing import TYPE_CHECKING

import pytest

from batch.errors import BatchError

if TYPE_CHECKING:
    from conftest import Reading

TEXT = "namn,ort\nÅsa,Malmö\n"


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
)
@pytest.mark.parametrize("declared", ["utf-8", "cp1252"])
def test_a_byte_order_mark_outranks_the_declaration(
    reading: Reading, mark: bytes, encoding: str, declared: str
) -> None:
    assert reading(mark + TEXT.encode(encoding), encoding=declared).values == [("Åsa", "Malmö")]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-le", "UTF8", "utf_8_sig", "mac_roman"])
def test_the_declared_encoding(reading: Reading, encoding: str) -> None:
    assert reading(TEXT.encode(encoding), encoding=encoding).values == [("Åsa", "Malmö")]


def test_shift_jis(reading: Reading) -> None:
    data = "名前\nカタカナ表\n".encode("shift_jis")
    assert reading(data, encoding="shift_jis").values == [("カタカナ表",)]


@pytest.mark.parametrize(
    ("text", "encoding", "line", "named"),
    [
        ("id\n1\nÅsa på ön\n", "cp1252", 3, "cp1252"),
        ("på\n1\n", "latin-1", 1, "cp1252"),
        ("id\nå\x81\n", "latin-1", 2, "latin-1"),
        ("id,名前\n1,こんにちは、カタカナ\n", "shift_jis", 1, "shift_jis"),
        ("id,namn\n1,Åsa\n", "utf-16-le", None, "utf-16-le"),
        ("id,namn\n1,Åsa\n", "utf-16-be", None, "utf-16-be"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_other_bytes_are_refused_with_the_likely_encoding(
    reading: Reading, text: str, encoding: str, line: int | None, named: str, name: str
) -> None:
    with pytest.raises(BatchError, match=f"looks like {named}") as caught:
        reading(text.encode(encoding), name)
    assert caught.value.code == "file.encoding"
    assert line is None or f"line {line} " in caught.value.message


def test_utf8_under_a_declared_narrow_encoding(reading: Reading) -> None:
    with pytest.raises(BatchError, match="looks like utf-8"):
        reading(TEXT.encode(), encoding="ascii")


@pytest.mark.parametrize("data", [b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xc3"])
def test_bytes_that_only_lax_decoders_take(reading: Reading, data: bytes) -> None:
    with pytest.raises(BatchError) as caught:
        reading(b"a\n" + data)
    assert caught.value.code == "file.encoding"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        pytest.param(TEXT.encode("utf-16-le"), "utf-16", id="no mark where one is a must"),
        pytest.param(b"a\n+2AA-\n", "utf-7", id="half of a surrogate pair"),
    ],
)
def test_what_a_decoder_complains_of_in_words_of_its_own(reading: Reading, data: bytes, encoding: str) -> None:
    with pytest.raises(BatchError) as caught:
        reading(data, encoding=encoding)
    assert caught.value.code == "file.encoding"


def test_what_a_decoder_holds_back_until_the_end_is_read(reading: Reading) -> None:
    assert reading(b"a,b\n1,+AOUA5Q", encoding="utf-7").values == [("1", "åå")]


@pytest.mark.parametrize("data", ["på".encode()[:-1], "på".encode("latin-1"), b"\xff\xfei\0d\0\n\0\n\0p"])
def test_an_end_inside_a_letter_is_called_one(reading: Reading, data: bytes) -> None:
    with pytest.raises(BatchError, match="ends in the middle of a letter, at line") as caught:
        reading(data if data[0] == 0xFF else b"id\n1\n" + data)
    assert caught.value.code == "file.encoding"


def test_a_small_first_piece_says_nothing_about_the_whole(reading: Reading) -> None:
    data = b"\0\0,b\n", b"x" * 100 + b",1\n"
    with pytest.raises(BatchError) as caught:
        reading(b"".join(map(gzip.compress, data)))
    assert caught.value.code == "file.header.name"


def test_a_workbook_is_called_one(reading: Reading) -> None:
    with pytest.raises(BatchError, match="Excel"):
        reading(b"PK\x03\x04 and so on")
