"""The envelope: opened without a look at the record, and never taken for something that it is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.records import a_group

from api.envelope import opened
from api.errors import ApiError
from batch.vetting import Vetter

VETTER = Vetter(a_group())

texts = st.text(st.characters(codec="utf-8"), max_size=8)
scalars = st.one_of(texts, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False))
records = st.dictionaries(texts, st.one_of(scalars, st.lists(scalars, max_size=3)), max_size=4)
spaces = st.text(" \t\r\n", max_size=3)


def code(body: bytes) -> str:
    try:
        opened(body)
    except ApiError as error:
        return f"{error.status} {error.code}"
    return ""


@given(
    data=records, key=texts, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]), back=st.booleans(), gap=spaces
)
@settings(max_examples=300, deadline=None)
def test_what_any_json_writer_writes_is_opened(
    data: dict[str, Any], key: str, ascii_only: bool, indent: int | None, back: bool, gap: str
) -> None:
    def dump(value: Any) -> str:
        return json.dumps(value, ensure_ascii=ascii_only, indent=indent)

    members = [f'"data"{gap}:{dump(data)}', f'"group_key":{gap}{dump(key)}'][:: -1 if back else 1]
    envelope = opened(f"{gap}{{{gap}{','.join(members)}{gap}}}{gap}".encode())
    assert envelope.group_key == key
    assert json.loads(envelope.line) == data
    assert not {10, 13} & set(envelope.line)


def whole(body: bytes) -> tuple[str, Any] | None:
    """What a strict reader makes of a body: the group's key and the record, or None when it is no envelope."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError
        return found

    def refuse(_constant: str) -> None:
        raise ValueError

    try:
        found = json.loads(body.decode(), object_pairs_hook=once, parse_constant=refuse, parse_int=str)
    except ValueError:
        return None
    if not isinstance(found, dict) or found.keys() != {"data", "group_key"}:
        return None
    return (found["group_key"], found["data"]) if isinstance(found["data"], dict) else None


PARTS = [
    *('{"data":', '"data"', '"group_key"', '"group_key":"abc"', ',"group_key":"abc"}', '{"group_key":"abc","data":'),
    *("{", "}", "{}", '{"a":1}', '{"a":"\\""}', "[", "]", ":", ",", '"', '"abc"', "\\", "\\u0061", "NaN", "1", "null"),
    *(" ", "\n", "\r", "\t", "\x0b", "\x0c", "\0", "\x1f", "é", "\ufeff", "\u2028"),
]


def few(most: int) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(PARTS), max_size=most).map("".join)


bodies = st.one_of(
    few(12),
    st.builds('{}{{"data":{}{}{},"group_key":"abc"}}{}'.format, few(1), few(1), few(4), few(2), few(1)),
    st.builds('{}{{"group_key":"abc"{},"data":{}{}}}{}'.format, few(1), few(1), few(4), few(2), few(1)),
)


@given(text=bodies, spoilt=st.booleans())
@example(text='{"data":\x0c{"a":1},"group_key":"abc"}', spoilt=False)
@example(text='{"data":{"a":"\n"},"group_key":"abc"}', spoilt=False)
@example(text='{"data":{"a":1},"data":{},"group_key":"abc"}', spoilt=False)
@example(text='{"data":{"a":NaN},"group_key":"abc"}', spoilt=False)
@example(text='{"data":{"a":1},"group_key":"x"},"group_key":"abc"}', spoilt=False)
@settings(max_examples=1500, deadline=None)
def test_what_is_opened_and_found_good_is_an_envelope_for_any_reader(text: str, spoilt: bool) -> None:
    """Bodies that look like envelopes: whatever the two halves of the judgement say, together they are strict."""
    body = text.encode() + b"\xff" * spoilt
    if code(body):
        assert whole(body) is None
        return
    envelope = opened(body)
    if not VETTER.vet([envelope.line]):
        assert whole(body) == (envelope.group_key, json.loads(envelope.line, parse_int=str))


@given(body=st.binary(max_size=40))
@settings(deadline=None)
def test_any_bytes_are_opened_or_refused(body: bytes) -> None:
    assert code(body) in ("", "400 body.json", "400 body.shape", "400 body.duplicate_key")


@pytest.mark.parametrize("depth", [10, 500, 1100, 50_000])
def test_depth_is_the_record_s_own_matter(depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    envelope = opened(b'{"data":{"a":%b},"group_key":"abc"}' % nested)
    assert [finding.code for finding in VETTER.vet([envelope.line])[0]] == ["row.nested"]


@pytest.mark.parametrize("digits", [10, 5000, 100_000])
@pytest.mark.parametrize("name", [b"group_key", b"group_k\\u0065y"])
def test_digits_are_the_record_s_own_matter_too(digits: int, name: bytes) -> None:
    data = b'{"a":%b}' % (b"7" * digits)
    assert opened(b'{"data":%b,"%b":"abc"}' % (data, name)) == (data, "abc")


def test_a_great_many_braces_are_looked_at_in_no_time() -> None:
    """Were the outlines matched by trial and error, these would take minutes."""
    long = [b"}" * 500_000, b"} " * 250_000, b'},"group_key":"' * 40_000, b" " * 500_000, b'"data":{' * 60_000]
    for middle in long:
        assert code(b'{"data":{' + middle + b"x").startswith("400")
        assert code(b'{"group_key":"abc","data":{' + middle + b"}x").startswith("400")
