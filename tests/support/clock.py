"""A clock that jumps: what would wait for minutes is over at once, and says how long it would have been."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest import mock

_Result = TypeVar("_Result")


class Clock:
    """The monotonic clock of the tests' event loop; it moves only when the loop would sleep."""

    def __init__(self) -> None:
        self.now = 1000.0

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Run a coroutine to its end without waiting."""
        with self._stopped(), asyncio.Runner(loop_factory=self._loop) as runner:
            return runner.run(work)

    @contextmanager
    def _stopped(self) -> Iterator[None]:
        with mock.patch.object(time, "monotonic", self._read):
            yield

    def _read(self) -> float:
        return self.now

    def _loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.SelectorEventLoop()
        selector: Any = loop._selector
        select = selector.select

        def jump(timeout: float | None = None) -> Any:
            self.now += max(timeout or 0.0, 1e-6)  # a clock that stands still would keep a short wait waiting
            return select(0)

        selector.select = jump
        return loop
