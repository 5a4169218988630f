"""What a destination may answer, and what must become of the rows then: by the contract, and not by the program."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import trustme
from support.certificates import vouched
from support.destination import HANG, RESET, Answer, Door, secured

from torture.fault import (
    ALWAYS,
    CHUNK,
    DELIVERED,
    DOWN,
    DOWN_AND_REPEATED,
    EVERY,
    NOBODY,
    REJECTED,
    REPEATED,
    STOPPED,
    UNANSWERED,
    UNREADABLE,
    Fate,
    Fault,
    Said,
    all_alike,
    but_bare,
    verdict,
    yes,
)

TRIES = 3
PATIENCE = 3
AUTHORITY = trustme.CA()
"""The one that the program is made to believe."""


def faults() -> Iterator[Fault]:
    """Yield all."""
    for some in (_waits, _bursts, _silences, _bodies, _statuses, _refusals, _verdicts, _doors):
        yield from some()


def _waits() -> Iterator[Fault]:
    """Retry-After, in seven forms; 429, 503 and their like mean that nothing was taken."""
    once: dict[str, tuple[Callable[[], str], float]] = {
        "seconds": (lambda: "1", 1),
        "a date ahead": (lambda: _date(2), 0.9),  # of whole seconds, so that up to one is cut off
        "0": (lambda: "0", 0),
        "a date past": (lambda: _date(-60), 0),
        "2abc": (lambda: "2abc", 0),
    }
    for number in (429, 503):
        line = f"{number} and Retry-After"
        for form, (made, wait) in once.items():
            answer = _later(number, made)
            yield Fault(line, f"{number}, Retry-After: {form}", all_alike(DELIVERED), answer, 1, wait=wait)
        far = _later(number, lambda: "999999")
        yield Fault(line, f"{number}, Retry-After: 999999", all_alike(STOPPED), far)
        yield Fault(line, f"{number}, no Retry-After", all_alike(DELIVERED), status(number), 1)
    for number in (408, 425):
        yield Fault("429 and Retry-After", f"{number} once", all_alike(DELIVERED), status(number), 1)
    kept = Fault("503 and Retry-After", "503 for ever, Retry-After: 0.3", all_alike(DOWN), wait=0.3)
    yield replace(kept, answer=_later(503, lambda: "0.3"), delivery={"tries": 2})
    for_ever = Fault("429 and Retry-After", "429 for ever", all_alike(DOWN), status(429))
    yield replace(for_ever, delivery={"patience": 0.3})


def _bursts() -> Iterator[Fault]:
    """5xx for one request, for one less than is tried, for one more, and for ever."""
    for number in (500, 502, 503, 504, 599):
        surely_not = number == 503  # the others do not exclude that the records were stored
        for times in (1, TRIES - 1, TRIES + 1, ALWAYS):
            outlived = times < TRIES
            if surely_not:
                fates = all_alike(DELIVERED if outlived else DOWN)
            else:
                fates = but_bare(REPEATED if outlived else DOWN_AND_REPEATED, UNANSWERED)
            name = f"{number} {'for ever' if times == ALWAYS else f'{times} times'}"
            takes = NOBODY if surely_not else EVERY
            yield Fault("5xx", name, fates, status(number), times, takes=takes)
    yield Fault("5xx", "500, nothing taken", but_bare(REPEATED, UNANSWERED), status(500), 1)


def _silences() -> Iterator[Fault]:
    """No whole answer: nobody knows, whatever the destination has done."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    chunked = head + b"transfer-encoding: chunked\r\n\r\n"
    answers = {
        "reset": RESET,
        "closed": says(),
        "cut body": says(head, b'content-length: 100\r\n\r\n{"errors"'),
        "cut chunks": says(chunked, b'9\r\n{"errors"\r\n'),
        "cut in a chunk": says(chunked, b'ff\r\n{"errors"'),
        "odd chunks": says(chunked, b"zz\r\n{}\r\n0\r\n\r\n"),
        "cut head": says(b"HTTP/1.1 200 OK\r\ncontent-le"),
        "another protocol": says(b"SSH-2.0-OpenSSH_9.6\r\n"),
        "a huge head": says(b"HTTP/1.1 200 OK\r\nx: ", b"y" * 100_000, b"\r\n\r\n"),
        "an odd length": says(head, b"content-length: -5\r\n\r\n{}"),
        "100 and no more": says(b"HTTP/1.1 100 Continue\r\n\r\n"),
    }
    for name, answer in answers.items():
        yield Fault("no whole answer", name, all_alike(UNANSWERED), answer, takes=EVERY)
    for name in ("reset", "closed"):
        before = f"{name}, nothing taken"
        yield Fault("no whole answer", before, all_alike(UNANSWERED), answers[name])
    slow = {
        "silence": HANG,
        "half a body": says(head, b"content-length: 100\r\n\r\n{", then="hang"),
        "a drip": Answer(then="drip"),
    }
    for name, answer in slow.items():
        one = Fault("no whole answer", name, all_alike(UNANSWERED), answer, takes=EVERY)
        yield replace(one, delivery={"timeout": 0.8})
    for written in (b"", head, head + b"content-length: 100\r\n\r\n{"):
        name, answer = f"TLS breaks after {len(written)} bytes", says(written, then="garble")
        yield Fault("no whole answer", name, all_alike(UNANSWERED), answer, takes=EVERY, scheme="https")


def _bodies() -> Iterator[Fault]:
    """A 200 that cannot be read."""
    packed = {"content-encoding": "gzip"}
    bodies = {
        "HTML": Answer(200, b"<html>Log in</html>", {"content-type": "text/html"}),
        "broken JSON": Answer(200, b'{"errors": ['),
        "a line of text": Answer(200, b"we will see"),
        "binary": Answer(200, bytes(range(256))),
        "deep JSON": Answer(200, b"[" * 100_000),
        "JSON of the wrong shape": Answer.json({"errors": 5, "results": 5, "status": "COMPLETE", "total_created": "4"}),
        "a list of the wrong things": Answer.json({"errors": [None], "results": [None], "status": "COMPLETE"}),
        "a gigabyte": Answer(200, b"", {"content-length": str(1 << 30)}, then="flood"),
        "a gigabyte of unknown length": Answer(200, b"", then="flood"),
        "a gzip bomb": Answer(200, gzip.compress(b" " * (20 << 20) + b"{}"), packed),
        "broken gzip": Answer(200, b"\x1f\x8b\x08\x00nonsense", packed),
    }
    for name, answer in bodies.items():
        yield Fault("200 and a body", name, all_alike(UNREADABLE), answer, takes=EVERY)
    # any 2xx is a webhook's yes, by Standard Webhooks; Mailchimp says what it did with each member
    silent = {"key": DELIVERED, "upsert": UNREADABLE, "bare": DELIVERED}
    for number in (200, 202, 204):
        yield Fault("200 and a body", f"{number}, empty", silent, Answer(number, b""), takes=EVERY)
    sound = {
        "201": lambda ask: replace(yes(ask), status=201),
        "202": lambda ask: replace(yes(ask), status=202),
        "100 before it": lambda ask: says(b"HTTP/1.1 100 Continue\r\n\r\n", yes(ask).wire, then="keep"),
        "103 before it": lambda ask: says(b"HTTP/1.1 103 Hints\r\nlink: </>\r\n\r\n", yes(ask).wire, then="keep"),
        "byte by byte": lambda ask: says(*_bytewise(yes(ask)), then="keep"),
    }
    for name, made in sound.items():
        yield Fault("200 and a body", f"yes, {name}", all_alike(DELIVERED), made, takes=EVERY)
    yield Fault("200 and a body", "yes, over TLS", all_alike(DELIVERED), takes=EVERY, scheme="https")


def _statuses() -> Iterator[Fault]:
    """What would be the same for every request: nothing more is sent. And what no status should be."""
    for number in (301, 302, 303, 304, 307, 308):
        yield Fault("3xx", str(number), all_alike(STOPPED), lambda ask, n=number: status(n, location=ask.elsewhere))
    for number in (401, 403, 404, 405, 410):
        yield Fault("401, 403, 404 and the like", str(number), all_alike(STOPPED), status(number))
    front = {"key": STOPPED, "upsert": DELIVERED, "bare": STOPPED}  # how Mailchimp's front says "too many"
    page = Answer(403, b"<html>Forbidden</html>")
    yield Fault("401, 403, 404 and the like", "403 in HTML", front, page, 1)
    for number in (101, 600, 999):
        yield Fault("odd statuses", str(number), all_alike(UNREADABLE), status(number), takes=EVERY)


def _refusals() -> Iterator[Fault]:
    """A request that is refused whole, because of some record, or because of its size."""
    for number in (400, 402, 409, 413, 414, 418, 422, 451):
        name = f"{number} to every request"
        yield Fault("refused whole", name, all_alike(REJECTED), status(number))
    for number in (413, 414):
        large = Fault("refused whole", f"{number} to more than 2", all_alike(DELIVERED), status(number))
        yield replace(large, meets=lambda ask: len(ask.ids) > 2)
    for number in (400, 409, 422):
        for poison in ({0}, {1, 2}, {0, 3}, EVERY):
            name = f"{number} for the places {sorted(poison)}"
            one = Fault("refused whole", name, all_alike(REJECTED), status(number), struck=poison)
            yield replace(one, meets=lambda ask, those=poison: not those.isdisjoint(ask.places))


def _verdicts() -> Iterator[Fault]:
    """A word on each record: it is believed where it can be matched to the record, and elsewhere nobody knows."""

    def one(name: str, answer: Said, fates: Mapping[str, Fate]) -> Fault:
        return Fault("a word on each record", name, fates, answer, takes=EVERY)

    def alike(fate: Fate, **other: Fate) -> dict[str, Fate]:
        return all_alike(fate) | {"hubspot": fate} | other

    for name, places in {"some": [1, 3], "some, in another order": [3, 1], "all": [0, 1, 2, 3]}.items():
        fault = one(f"{name} refused", lambda ask, those=places: verdict(ask, ask.names(those)), alike(REJECTED))
        yield replace(fault, struck=frozenset(places), takes=EVERY - set(places))
    twice = one("one refused twice", lambda ask: verdict(ask, ask.names([1, 1])), all_alike(UNREADABLE))
    yield twice
    # HubSpot's answer names what it stored, so that two words against one record say the same
    yield replace(twice, fates={"hubspot": REJECTED}, struck={1}, takes=EVERY - {1})
    strangers: dict[str, object] = {"webhook": 99, "mailchimp": "x@elsewhere.example", "hubspot": "x@elsewhere.example"}
    yield one(
        "a stranger refused",
        lambda ask: verdict(ask, [strangers[ask.dialect]]),
        alike(UNREADABLE, hubspot=DELIVERED),
    )
    webhook_only = {"key": UNREADABLE, "bare": UNREADABLE}
    for odd in (CHUNK, -1, "1", 1.0, True, None, [], {}):
        yield one(f"index {odd!r}", lambda ask, it=odd: verdict(ask, [it]), webhook_only)
    yield one("no index", Answer.json({"errors": [{"code": "x"}]}), webhook_only)
    named = {"upsert": UNREADABLE, "hubspot": UNREADABLE}
    for odd in (1, None, ["p1@example.com"], {"a": 1}):
        yield one(f"a name that is {odd!r}", lambda ask, it=odd: verdict(ask, [it]), named)
    missing = one("one left out", lambda ask: verdict(ask, missing=1), {"upsert": UNREADABLE})
    yield missing
    yield replace(missing, fates={"hubspot": UNREADABLE}, struck={0})
    yield one(
        "one too many",
        lambda ask: verdict(ask, extra=["x@elsewhere.example"]),
        {"upsert": UNREADABLE, "hubspot": DELIVERED},
    )
    for odd in ("4", 4.0, None, True, -4):
        yield one(
            f"a count that is {odd!r}", lambda ask, it=odd: _with(yes(ask), total_created=it), {"upsert": UNREADABLE}
        )
    for odd in ("PENDING", "CANCELED", None, 5):
        yield one(f"a status that is {odd!r}", lambda ask, it=odd: _with(yes(ask), status=it), {"hubspot": UNREADABLE})


def _doors() -> Iterator[Fault]:
    """Connections that never come about, so that nothing is ever sent; from some chunk on, for good."""
    doors: dict[str, Door] = {
        "the certificate has expired": secured(vouched(AUTHORITY, days=-1)),
        "the certificate is another host's": secured(vouched(AUTHORITY, "127.0.0.2")),
        "nobody known vouches for the certificate": secured(vouched(trustme.CA())),
        "the handshake is cut": _cut,
        "the handshake is refused": _alert,
        "no TLS": _plain,
        "the handshake is not answered": _silent,
    }
    line = "no connection, or an unsafe one"
    for name, door in doors.items():
        delivery = {"tries": 1, "timeout": 2} if door is _silent else {}
        yield Fault(line, name, all_alike(STOPPED), door=door, delivery=delivery, scheme="https")
    yield Fault(line, "refused", all_alike(STOPPED), door="refused")


# --- wire


def says(*bytes_: bytes, then: Any = "close") -> Answer:
    """Write just this."""
    return Answer(0, b"".join(bytes_), then=then)


def status(number: int, **headers: str) -> Answer:
    """Say no in JSON, where a body may follow."""
    return Answer(number, b"", headers) if number == 304 else Answer.json({"message": "no"}, number, **headers)


def _later(number: int, made: Callable[[], str]) -> Said:
    return lambda _ask: status(number, **{"retry-after": made()})


def _date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def _with(answer: Answer, **more: Any) -> Answer:
    return replace(answer, body=json.dumps(json.loads(answer.body) | more).encode())


def _bytewise(answer: Answer) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    for byte in answer.body:
        yield b"1\r\n" + bytes([byte]) + b"\r\n"
    yield b"0\r\n\r\n"


async def _cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.transport.abort()
    raise ConnectionAbortedError


async def _alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(bytes.fromhex("15030300020228"))  # fatal: handshake_failure
    raise ConnectionAbortedError


async def _plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    raise ConnectionAbortedError


async def _silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()  # until the other side gives up
    raise ConnectionAbortedError
