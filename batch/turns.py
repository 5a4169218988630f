"""Turns: batches of one group that are under way at once reach each destination one after the other.

So each person's records keep their order wherever they go, and a destination that hangs holds up nothing but what
is meant for itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager

from batch.retry import Signal

_GLANCE = 0.05


class Turn:
    """The place of one batch in its group's line before every destination; one of its own waits for nobody."""

    def __init__(self, before: Sequence[Turn] = (), moved: Callable[[], object] = lambda: None) -> None:
        """Stand behind others; `moved` is called when a destination is free for the next."""
        self._before, self._moved = before, moved
        self._bound_for: Collection[str] | None = None  # not known before the batch was read
        self._passed: set[str] = set()
        self.closed: bool | None = None

    @property
    def barred(self) -> bool:
        """Whether a batch before ended without being closed: what it owes must arrive before this one's."""
        return any(turn.closed is False for turn in self._before)

    def goes_to(self, names: Collection[str]) -> None:
        """Say which destinations the batch is bound for; the others need not wait for it."""
        self._bound_for = names
        self._moved()

    def has_passed(self, name: str) -> bool:
        """Say whether a destination is free for the next as far as this batch goes."""
        elsewhere = self._bound_for is not None and name not in self._bound_for
        return self.closed is True or name in self._passed or elsewhere

    @asynccontextmanager
    async def at(self, name: str, halted: Signal) -> AsyncIterator[bool]:
        """Wait until a destination is free, and hold it while the block lasts; false if nothing may be sent there."""
        while not (free := self._is_free(name)) and not self.barred and not halted.is_set():  # noqa: ASYNC110
            await asyncio.sleep(_GLANCE)  # those before are in threads of their own, with loops of their own
        yield free
        if free and not halted.is_set():
            self._passed.add(name)
            self._moved()

    def end(self, *, closed: bool) -> None:
        """Leave the line; `closed` says that nothing is owed any more."""
        self.closed = closed
        self._before = ()
        self._moved()

    def _is_free(self, name: str) -> bool:
        return all(turn.has_passed(name) for turn in self._before)


class Line:
    """The turns of one group, in the order in which they were drawn."""

    def __init__(self, moved: Callable[[], object]) -> None:
        """Stand empty; `moved` is called when another turn may be worth drawing."""
        self._moved = moved
        self._turns: list[Turn] = []

    def draw(self) -> Turn:
        """Return a turn behind all that were drawn."""
        turn = Turn(self._standing(), self._moved)
        self._turns = [one for one in self._turns if not one.closed] + [turn]
        return turn

    def has_room(self, names: Collection[str]) -> bool:
        """Say whether one more batch would find one of the destinations free."""
        standing = self._standing()
        if not standing:
            self._turns.clear()
            return True
        if any(turn.closed is False for turn in self._turns):  # what that one owes goes first, once the others are home
            return False
        return any(all(turn.has_passed(name) for turn in standing) for name in names)

    def __len__(self) -> int:
        return len(self._standing())

    def _standing(self) -> list[Turn]:
        return [turn for turn in self._turns if turn.closed is None]
