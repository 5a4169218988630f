from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from batch import packing, rowset
from batch.outcome import Finding, Outcome

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
FINDINGS = st.builds(
    Finding,
    outcome=st.sampled_from(Outcome),
    code=TEXTS,
    column=st.none() | TEXTS,
    message=TEXTS,
    rows=st.sets(st.integers(1, 100_000)).map(lambda rows: rowset.of(*rows)),
)


def _plain(finding: Finding) -> tuple[Any, ...]:
    return (finding.outcome, finding.code, finding.column, finding.message, finding.rows.tolist())


@given(st.lists(FINDINGS, max_size=5))
def test_findings_come_back_as_they_were(findings: list[Finding]) -> None:
    unpacked = packing.unpack_findings(packing.pack_findings(findings))
    assert [_plain(finding) for finding in unpacked] == [_plain(finding) for finding in findings]
    assert all(isinstance(finding.outcome, Outcome) for finding in unpacked)


def test_a_destinations_odd_words_lose_no_outcome() -> None:
    said = Finding(Outcome.REJECTED, "rejected.\0", "\ud800", "half a pair \ud83d, \0, å", rowset.of(1))
    (kept,) = packing.unpack_findings(packing.pack_findings([said]))
    assert _plain(kept) == (Outcome.REJECTED, "rejected.?", "?", "half a pair ?, ?, å", [1])


def test_what_went_well_takes_no_space() -> None:
    assert packing.pack_findings([]) == b""
    many = Finding(Outcome.INVALID, "email.format", "epost", "Not an address.", rowset.of(*range(1, 1_000_001, 7)))
    assert len(packing.pack_findings([many])) < 4096


@given(st.text(st.characters()))
def test_any_text_can_be_stored(text: str) -> None:
    stored = packing.storable(text)
    assert "\0" not in stored.encode().decode()
    assert len(stored) == len(text)
