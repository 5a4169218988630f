"""Taking: records that came one by one are checked, written together as a small drop, and entered in the ledger.

The drop is written first. Entering it is what makes it count: until then nobody was told that a record was taken,
and what was written is never delivered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from batch.answers import Answer, is_lasting
from batch.dropzone import DropZone, DropZoneError
from batch.errors import LedgerError
from batch.layout import records_key
from batch.outcome import Finding
from batch.packets import Packet, Packets
from batch.statements import nonce
from batch.vetting import Vetter
from config.group import Group
from config.limits import USUAL, Limits

_ROUNDS = 5
_AT_ONCE = 8  # groups, each with a file of its own


class Offer(NamedTuple):
    """A record on its way in: one line of JSON for a group.

    `names` are hashes of what makes the request the same one when it comes again, each with the time up to which it
    is remembered (in seconds since 1970); `fingerprint` is the hash of its body.
    """

    group_key: str
    line: bytes
    names: Mapping[bytes, int]
    fingerprint: bytes


class Invalid(Exception):
    """The record breaks rules: `findings` says which."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(findings)  # as it is, or it could not go from process to process
        self.findings = findings

    def __str__(self) -> str:
        return ", ".join(finding.code for finding in self.findings)


class Reused(Exception):
    """A request with the same idempotency key had another body."""


Result = str | Invalid | Reused
"""The id of the record that was taken, now or when the same request came first; or why it was not."""


class Taker:
    """Takes records for the groups of an installation."""

    def __init__(self, packets: Packets, zone: DropZone, groups: Mapping[str, Group], limits: Limits = USUAL) -> None:
        self._packets = packets
        self._zone = zone
        self._vetters = {key: Vetter(group, limits) for key, group in groups.items()}
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="take")

    def take(self, offers: Sequence[Offer]) -> list[Result]:
        """Take records; when this returns, those that were taken are durable and will be delivered.

        Raises:
            LedgerError, DropZoneError: when these cannot be used; then none was taken.
        """
        every = [name for offer in offers for name in offer.names]
        # who sends an idempotency key may well come again; a signature hardly ever does, and its name stands in the way
        asked = [name for name in every if is_lasting(name)]
        for _ in range(_ROUNDS):
            known = self._packets.answered(asked) if asked else {}
            new = [place for place, offer in enumerate(offers) if known.keys().isdisjoint(offer.names)]
            told = _in_turn(offers, known, self._refused(offers, new))
            if asked != every and any(isinstance(one, Exception) for one in told):
                asked = every  # what is refused now may have been taken when it came first
                continue
            parcels = self._written(offers, [place for place in new if told[place] == place])
            records = {place: record for packet, places in parcels for place, record in _ids(packet, places)}
            results = [records[one] if isinstance(one, int) else one for one in told]
            if self._entered([packet for packet, _ in parcels], _answers(offers, results, known)):
                return results
            self._discard(parcels)
            self._packets.forget_answers()  # what stood in the way may be one whose time is over
            asked = every
        raise LedgerError("The ledger is asked for the same requests by other processes again and again.")

    def _refused(self, offers: Sequence[Offer], places: Iterable[int]) -> dict[int, Result]:
        """Return what stands against records that break the rules of their groups."""
        refused: dict[int, Result] = {}
        for key, own in _by_group(offers, places).items():
            found = self._vetters[key].vet([offers[place].line for place in own])
            refused |= {own[number]: Invalid(findings) for number, findings in found.items()}
        return refused

    def _written(self, offers: Sequence[Offer], places: Iterable[int]) -> list[tuple[Packet, list[int]]]:
        """Write the records of each group as a small drop."""
        groups = _by_group(offers, places).items()
        write = self._threads.map if len(groups) > 1 else map
        return list(write(lambda group: (self._write(group[0], offers, group[1]), group[1]), groups))

    def _write(self, key: str, offers: Sequence[Offer], places: Sequence[int]) -> Packet:
        now, content = datetime.now(UTC), b"".join(offers[place].line + b"\n" for place in places)
        packet_id = f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z-{nonce()}"
        file = records_key(key, packet_id, now)
        self._zone.put(file, content)
        return Packet(packet_id, key, file, len(content), hashlib.sha256(content).hexdigest(), len(places), now)

    def _discard(self, these: Iterable[tuple[Packet, Sequence[int]]]) -> None:
        for packet, _ in these:
            with suppress(DropZoneError):  # it is never delivered, wherever it lies
                self._zone.discard(packet.file)

    def _entered(self, these: Sequence[Packet], given: Sequence[Answer]) -> bool:
        return not (these or given) or self._packets.take(these, given)


def _in_turn(
    offers: Sequence[Offer], known: Mapping[bytes, Answer], refused: Mapping[int, Result]
) -> list[int | Result]:
    """Return what each offer is told, as if one came after the other; a place stands for the record taken there."""
    seen: dict[bytes, tuple[bytes, int | str]] = {name: (one.fingerprint, one.record) for name, one in known.items()}
    told: list[int | Result] = []
    for place, offer in enumerate(offers):
        former = next((seen[name] for name in offer.names if name in seen), None)
        fingerprint, record = former or (offer.fingerprint, place)
        if former is None and place in refused:
            told.append(refused[place])
        elif fingerprint != offer.fingerprint:
            told.append(Reused())
        else:
            told.append(record)
            for name in offer.names:
                seen.setdefault(name, (fingerprint, record))
    return told


def _answers(offers: Sequence[Offer], results: Sequence[Result], known: Mapping[bytes, Answer]) -> list[Answer]:
    """Return what is to be remembered: a request that was the same as a former one by one name has others too."""
    found: dict[bytes, Answer] = {}
    for offer, result in zip(offers, results, strict=True):
        if isinstance(result, str):
            for name, until in offer.names.items():
                if name not in known and name not in found:
                    found[name] = Answer(name, offer.fingerprint, result, until)
    return list(found.values())


def _by_group(offers: Sequence[Offer], places: Iterable[int]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for place in places:
        groups.setdefault(offers[place].group_key, []).append(place)
    return groups


def _ids(packet: Packet, places: Sequence[int]) -> Iterable[tuple[int, str]]:
    return ((place, packet.record_id(row)) for row, place in enumerate(places, start=1))
