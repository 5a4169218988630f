"""Replies: what a destination's answer means for the records that were sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from integrations.errors import Ambiguous, DeliveryError, Refused, Retryable, Unauthorized
from integrations.integration import Integration, Reply, Sent, Verdict

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
    if not 200 <= reply.status < 300:
        integration.notice(reply)
        raise _meaning(reply)
    try:
        return _trusted(integration.read(reply, sent), sent)
    except DeliveryError:
        raise
    except Exception:  # noqa: BLE001  whatever a destination may think of to send, nobody knows what it stored
        message = f"HTTP {reply.status} with {kind(reply)}, which is not the answer that {integration.title} documents"
        raise Ambiguous("bad_answer", message) from None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how many seconds the reply asks us to wait, given in seconds or as a date; None if it does not."""
    given = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", given):
        return float(given)
    if not re.match(r"[A-Z][a-z]{2}", given):  # an HTTP date begins with the day of the week
        return None
    try:
        at = parsedate_to_datetime(given)
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())
    except (ValueError, OverflowError):
        return None


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
    return "JSON" if _document(reply) is not None else "text that is not JSON"


def whole(count: object) -> int:
    """Return the count if it is a whole number from 0 up.

    Raises:
        Ambiguous: when it is anything else.
    """
    if type(count) is not int or count < 0:
        raise Ambiguous("bad_answer", "The answer has something else where a count or an index belongs")
    return count


def _meaning(reply: Reply) -> DeliveryError:
    said = f"HTTP {reply.status}: {_words(reply)}"
    wait = retry_after(reply.headers, datetime.now(UTC))
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
    document = _document(reply)
    if isinstance(document, dict):
        inner = document.get("error")
        for source in (document, inner if isinstance(inner, dict) else {}):
            for name in _PLACES:
                if isinstance(source.get(name), str) and source[name].strip():
                    return tidy(source[name])
    return (
        kind(reply) if reply.body.strip()[:1] in (b"", b"<", b"{", b"[") else tidy(reply.body.decode(errors="replace"))
    )


def _document(reply: Reply) -> Any:
    try:
        return reply.json()
    except (ValueError, RecursionError):
        return None


def _trusted(verdicts: Sequence[Verdict], sent: Sent) -> Sequence[Verdict]:
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
