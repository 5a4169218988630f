"""Work ahead: what is done to each item of an iterator goes on in threads, and comes out in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def ahead(do: Callable[[_Item], _Result], items: Iterable[_Item], at_once: int = 2) -> Iterator[_Result]:
    """Yield `do(item)` of each item, in order; at most `at_once` are in work, and as many done and not yet used."""
    items = iter(items)
    begun = list(islice(items, 2))
    if len(begun) < 2:
        yield from map(do, begun)  # one alone would only wait for a thread to start
        return
    waiting: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(at_once, thread_name_prefix="ahead") as threads:
        try:
            for item in chain(begun, items):
                waiting.append(threads.submit(do, item))
                if len(waiting) > at_once:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for one in waiting:  # the user has gone away, or an item before has failed
                one.cancel()
