"""Buffers of about one size, whatever the pieces are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batch.reading.buffers import buffers


@given(pieces=st.lists(st.binary(max_size=40)), size=st.integers(1, 20))
def test_nothing_is_lost_and_no_buffer_is_large(pieces: list[bytes], size: int) -> None:
    *others, last = buffers(pieces, size)
    assert b"".join(text for text, _ in [*others, last]) == b"".join(pieces)
    assert [is_last for _, is_last in [*others, last]] == [False] * len(others) + [True]
    assert all(size <= len(text) < size + -(-size // 2) for text, _ in others)
