"""Faults on demand: how they are written, and how long they last."""

from __future__ import annotations

import pytest

from integrations.sandbox.faults import WORDS, Faults


def drawn(faults: Faults, name: str, times: int) -> list[str | None]:
    return [faults.next(name) for _ in range(times)]


def test_a_fault_with_a_count_passes() -> None:
    faults = Faults.parse("mailchimp=503x3")
    assert drawn(faults, "mailchimp", 5) == ["503", "503", "503", None, None]


def test_a_fault_without_a_count_stays() -> None:
    assert drawn(Faults.parse("webhook=hang"), "webhook", 50) == ["hang"] * 50


def test_faults_of_one_integration_come_in_order_and_leave_the_others_alone() -> None:
    faults = Faults.parse(" mailchimp=503x1, hubspot=401 ,mailchimp=html ,")
    assert drawn(faults, "mailchimp", 3) == ["503", "html", "html"]
    assert drawn(faults, "hubspot", 2) == ["401", "401"]
    assert drawn(faults, "webhook", 2) == [None, None]


def test_no_faults() -> None:
    assert drawn(Faults.parse(""), "webhook", 2) == [None, None]
    assert drawn(Faults(), "webhook", 2) == [None, None]


def test_faults_can_be_replaced() -> None:
    faults = Faults.parse("webhook=down")
    faults.replace("webhook=429x1")
    assert drawn(faults, "webhook", 2) == ["429", None]
    with pytest.raises(ValueError, match="not a fault"):
        faults.replace("webhook=nonsense")


@pytest.mark.parametrize("word", [*WORDS, "301", "400", "401", "429", "500", "599"])
def test_words_and_statuses(word: str) -> None:
    assert Faults.parse(f"webhook={word}").next("webhook") == word


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("mailchmip=503", "did you mean mailchimp"),
        ("mailchimp=hnag", "did you mean hang"),
        ("mailchimp=qqqq", "there are down, html"),
        ("mailchimp=200", "is not a fault"),
        ("mailchimp=999", "is not a fault"),
        ("mailchimp=503x0", "is not a fault"),
        ("mailchimp=503x", "is not a fault"),
        ("mailchimp", "is not a fault"),
        ("mailchimp:503", "is not a fault"),
    ],
)
def test_mistakes_are_explained(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Faults.parse(text)
