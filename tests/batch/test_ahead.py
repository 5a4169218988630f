"""Work ahead: in order, at most one item early, and errors where they belong."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from batch.ahead import ahead


def test_items_come_in_order_and_at_most_one_is_made_early() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for number in range(20):
            made.append(number)
            yield number

    for used, item in enumerate(ahead(source())):
        assert item == used
        assert len(made) <= used + 2
    assert made == list(range(20))


@pytest.mark.parametrize("items", [[], [None], [0, None, False]])
def test_any_items(items: list[object]) -> None:
    assert list(ahead(items)) == items


def test_an_error_comes_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("two")

    got = []
    with pytest.raises(ValueError, match="two"):
        got.extend(ahead(source()))
    items = ahead(source())
    assert next(items) == 1
    with pytest.raises(ValueError, match="two"):
        next(items)


def test_the_next_item_is_made_while_this_one_is_used() -> None:
    begun = threading.Event()

    def source() -> Iterator[int]:
        yield 1
        begun.set()
        yield 2

    items = ahead(source())
    assert next(items) == 1
    assert begun.wait(5)
    assert list(items) == [2]


def test_no_thread_is_left_when_the_user_goes_away() -> None:
    before = threading.active_count()
    items = ahead(iter(range(10)))
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
