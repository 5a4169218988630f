"""Faults: how a stand-in goes wrong, and for how many requests."""

from __future__ import annotations

import re
from collections import deque
from difflib import get_close_matches
from typing import Self

from integrations.catalog import find

WORDS = {
    "down": "503 to every request",
    "html": "200 with an HTML page; nothing is taken",
    "empty": "200 without a body; nothing is taken",
    "huge": "200 with a body of 100 MB; nothing is taken",
    "drip": "200 with a body that never ends; nothing is taken",
    "hang": "takes the records and never answers",
    "reset": "takes the records and breaks the connection",
}
"""Faults that have a name; the others are HTTP statuses from 300 to 599, with which nothing is taken."""

_FAULT = re.compile(r"(?P<type>\w+)=(?P<fault>[a-z]+|[345]\d\d)(?:x(?P<times>[1-9]\d*))?")


class Faults:
    """The faults that are still to come, for each integration in the order in which they were given."""

    def __init__(self) -> None:
        """Start without faults."""
        self._plans: dict[str, deque[tuple[str, int | None]]] = {}

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the faults that a text like "mailchimp=503x3,hubspot=401,webhook=hang" names.

        `x3` means for three requests; without it the fault stays.

        Raises:
            ValueError: when the text names an unknown integration or fault, or is no such list.
        """
        faults = cls()
        for part in filter(None, (part.strip() for part in text.split(","))):
            faults._add(part)
        return faults

    def replace(self, text: str) -> None:
        """Forget what is still to come, for what the text names ("" for nothing).

        Raises:
            ValueError: as `parse` does.
        """
        self._plans = self.parse(text)._plans

    def next(self, name: str) -> str | None:
        """Return the fault that meets the integration's next request, if any, and count it."""
        plan = self._plans.get(name)
        if not plan:
            return None
        fault, times = plan.popleft()
        if times is None or times > 1:
            plan.appendleft((fault, times and times - 1))
        return fault

    def standing(self, name: str) -> str | None:
        """Return the status that meets whatever the integration asks, as long as it stays.

        Faults that are counted, and those that take records, are for requests with records: who only asks something
        does not use them up.
        """
        fault, times = next(iter(self._plans.get(name, ())), ("", None))
        return fault if times is None and (fault.isdigit() or fault == "down") else None

    def _add(self, part: str) -> None:
        found = _FAULT.fullmatch(part)
        if not found:
            raise ValueError(f"{part!r} is not a fault; write like mailchimp=503x3")
        try:
            find(found["type"])
        except KeyError as unknown:
            raise ValueError(str(unknown)) from None
        if not found["fault"].isdigit() and found["fault"] not in WORDS:
            near = get_close_matches(found["fault"], WORDS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(WORDS)} and HTTP statuses"
            raise ValueError(f"{found['fault']!r} is not a fault ({hint})")
        times = int(found["times"]) if found["times"] else None
        self._plans.setdefault(found["type"], deque()).append((found["fault"], times))
