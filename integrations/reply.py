"""Replies: what a destination's answer means for the records that were sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from integrations.errors import Ambiguous, DeliveryError, Refused, Retryable, Unauthorized
from integrations.exchange import Reply, Sent, Verdict

if TYPE_CHECKING:
    from integrations.integration import Integration

_T = TypeVar("_T")

_WORDS = 300
_CODE = 60
_PART = r"[^\s@<>()\"'“”‘’,;:]"
_ADDRESS = re.compile(rf"(?<!{_PART}){_PART}+@{_PART}+")  # looks from the start of a word only, so never twice
_PLACES = ("detail", "message", "error_description", "title", "error")
"""Where destinations put the sentence about what is wrong, the most telling first."""


def judge(integration: Integration, reply: Reply, sent: Sent) -> Sequence[Verdict]:
    """Return a verdict on each record that was not taken; every other record was taken.

    Raises:
        DeliveryError: when the reply does not say so of each record.
    """
    accepted(integration, reply)
    return understood(integration, reply, lambda: trusted(integration.read(reply, sent), sent))


def accepted(integration: Integration, reply: Reply) -> Reply:
    """Return the reply if it is a yes (2xx).

    Raises:
        DeliveryError: what it means when it is none.
    """
    if 200 <= reply.status < 300:
        return reply
    integration.notice(reply)
    error = _meaning(reply, integration.wait(reply.headers, datetime.now(UTC)))
    error.status = reply.status
    raise error


def understood(integration: Integration, reply: Reply, read: Callable[[], _T]) -> _T:
    """Return what `read` makes of a reply.

    Raises:
        DeliveryError: its own; `Ambiguous` for whatever else it stumbles over, for nobody knows what was stored then.
    """
    try:
        return read()
    except DeliveryError:
        raise
    except Exception:  # noqa: BLE001  whatever a destination may think of to send
        message = f"HTTP {reply.status} with {kind(reply)}, which is not the answer that {integration.title} documents"
        raise Ambiguous("bad_answer", message) from None


def tidy(text: str) -> str:
    """Return a destination's words for people: one short line, without control characters or e-mail addresses.

    Addresses go, so that one reason reads the same for every record and no address reaches a log.
    """
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 20 * _WORDS]).split())
    return _ADDRESS.sub("(address)", line)[:_WORDS]


def kind(reply: Reply) -> str:
    """Return what sort of body the reply has, in words."""
    start = reply.body[:1000].strip()
    if not start:
        return "an empty body"
    if start.startswith(b"<"):
        return "an HTML or XML page"
    return "JSON" if document(reply) is not None else "text that is not JSON"


def slow_down(when: Callable[[Reply], bool], why: str) -> Callable[[Reply], None]:
    """Return what takes a reply that looks otherwise for "too fast"; `why` says how it is told."""

    def notice(reply: Reply) -> None:
        if when(reply):
            raise Retryable("slow_down", f"HTTP {reply.status}: {why}", slow_down=True)

    return notice


def whole(count: object) -> int:
    """Return the count if it is a whole number from 0 up.

    Raises:
        Ambiguous: when it is anything else.
    """
    if type(count) is not int or count < 0:
        raise Ambiguous("bad_answer", "The answer has something else where a count or an index belongs")
    return count


def identifier(given: object) -> str:
    """Return what names something, like a job, as text.

    Raises:
        Ambiguous: when it is nothing that could.
    """
    if type(given) not in (str, int) or not str(given).strip():
        raise Ambiguous("bad_answer", "The answer has something else where an id belongs")
    return str(given)


def _meaning(reply: Reply, wait: float | None) -> DeliveryError:
    said = f"HTTP {reply.status}: {_words(reply)}"
    if reply.status in (408, 425, 429):
        return Retryable("slow_down", said, retry_after=wait, slow_down=True)
    if 500 <= reply.status < 600:
        return Retryable("unavailable", said, retry_after=wait, maybe_taken=reply.status != 503)
    if reply.status in (401, 403):
        return Unauthorized("auth.refused", said)
    if 300 <= reply.status < 400 or reply.status in (404, 405, 410):
        return Unauthorized("address.refused", said)
    if 400 <= reply.status < 500:
        return Refused("refused", said)
    return Ambiguous("bad_answer", said)


def _words(reply: Reply) -> str:
    said = document(reply)
    said = said[0] if isinstance(said, list) and said else said
    if isinstance(said, dict):
        errors = said.get("errors")
        inner = (said.get("error"), errors[0] if isinstance(errors, list) and errors else None)
        for source in (said, *(it for it in inner if isinstance(it, dict))):
            for name in _PLACES:
                if isinstance(source.get(name), str) and source[name].strip():
                    return tidy(source[name])
    return (
        kind(reply) if reply.body.strip()[:1] in (b"", b"<", b"{", b"[") else tidy(reply.body.decode(errors="replace"))
    )


def document(reply: Reply) -> Any:
    """Return the body as JSON; None when it is not JSON."""
    try:
        return reply.json()
    except (ValueError, RecursionError):
        return None


def trusted(verdicts: Sequence[Verdict], sent: Sent) -> Sequence[Verdict]:
    """Return verdicts in tidy words.

    Raises:
        Ambiguous: when they name a record twice, or one that was not sent.
    """
    indexes = [verdict.index for verdict in verdicts]
    if len(set(indexes)) < len(indexes) or not all(0 <= index < sent.count for index in indexes):
        raise Ambiguous("bad_answer", "The answer names a record twice, or one that was not sent")
    return tuple(
        replace(
            verdict,
            code=re.sub(r"[^a-z0-9_.-]+", "_", verdict.code.lower()).strip("_.-")[:_CODE],
            message=tidy(verdict.message),
        )
        for verdict in verdicts
    )
