"""Work ahead: in order, bounded, and errors where they belong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.ahead import ahead


def same(item: object) -> object:
    return item


@given(st.lists(st.none() | st.integers()), st.integers(1, 4))
def test_results_come_in_order_whatever_they_are(items: list[object], at_once: int) -> None:
    def dawdle(item: object) -> object:
        time.sleep(0.0005 * (hash(item) % 3))
        return item

    assert list(ahead(dawdle, items, at_once)) == items


def test_few_items_are_taken_early() -> None:
    taken: list[int] = []

    def source() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    for used, item in enumerate(ahead(same, source(), 2)):
        assert item == used
        assert len(taken) <= used + 3
    assert taken == list(range(20))


def test_one_item_alone_needs_no_thread() -> None:
    assert list(ahead(lambda _: threading.current_thread(), [1])) == [threading.current_thread()]


def test_an_error_of_the_source_comes_at_its_place() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("two")

    with pytest.raises(ValueError, match="two"):
        list(ahead(same, source()))


def test_an_error_of_the_work_comes_after_the_results_before_it() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    got = []
    with pytest.raises(ValueError, match="three"):
        got.extend(ahead(work, range(1, 10)))
    assert got in ([], [1, 2])  # `extend` keeps nothing of a failed iterator
    items = ahead(work, range(1, 10))
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="three"):
        next(items)


def test_two_are_worked_on_at_once() -> None:
    both = threading.Barrier(2, timeout=5)

    def work(item: int) -> int:
        both.wait()
        return item

    assert list(ahead(work, range(4), 2)) == [0, 1, 2, 3]


def test_no_thread_is_left_when_the_user_goes_away() -> None:
    before = threading.active_count()
    items = ahead(same, range(10))
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
