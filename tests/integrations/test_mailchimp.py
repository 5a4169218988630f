"""Mailchimp's 200: totals must add up, and every error must name one record that was sent."""

from __future__ import annotations

import pytest

from integrations.catalog import CATALOG
from integrations.errors import Ambiguous, Retryable, Unauthorized
from integrations.exchange import JSON, Reply, Sent, Verdict
from integrations.reply import judge

MAILCHIMP = CATALOG["mailchimp"]
SENT = Sent(3, ("a@example.com", "b@example.com", "c@example.com"))
ERROR = {"email_address": "b@example.com", "error": "b@example.com was bounced", "error_code": "ERROR_GENERIC"}


def answer(*errors: JSON, created: JSON = 0, updated: JSON = 0, count: JSON = None) -> Reply:
    totals = {"total_created": created, "total_updated": updated}
    return Reply.of({"errors": errors, "error_count": len(errors) if count is None else count, **totals})


def test_all_taken() -> None:
    assert judge(MAILCHIMP, answer(created=1, updated=2), SENT) == ()


def test_one_refused() -> None:
    expected = (Verdict(1, "error_generic", "(address) was bounced"),)
    assert judge(MAILCHIMP, answer(ERROR, created=2), SENT) == expected
    shouted = ERROR | {"email_address": "B@EXAMPLE.com"}
    assert judge(MAILCHIMP, answer(shouted, created=2), SENT) == expected


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer(created=2), id="one record short"),
        pytest.param(answer(created=4), id="one record over"),
        pytest.param(answer(), id="a silent no-op"),
        pytest.param(answer(created=4, updated=-1), id="negative"),
        pytest.param(answer(created="3"), id="text"),
        pytest.param(answer(created=3.0), id="fraction"),
        pytest.param(answer(created=True, updated=2), id="boolean"),
        pytest.param(answer(created=2, count=1), id="an error is not told"),
        pytest.param(answer(ERROR, created=3, count=0), id="an error is not counted"),
        pytest.param(answer(ERROR | {"email_address": "d@example.com"}, created=2), id="another's address"),
        pytest.param(answer(ERROR | {"email_address": None}, created=2), id="no address"),
        pytest.param(answer(ERROR, ERROR, created=1), id="the same record twice"),
        pytest.param(Reply.of([]), id="a list"),
        pytest.param(Reply.of({}), id="an empty object"),
        pytest.param(Reply(200), id="an empty body"),
        pytest.param(Reply(204), id="no content"),
    ],
)
def test_anything_else_is_ambiguous(reply: Reply) -> None:
    with pytest.raises(Ambiguous):
        judge(MAILCHIMP, reply, SENT)


def test_an_error_on_an_address_that_was_sent_twice_is_ambiguous() -> None:
    with pytest.raises(Ambiguous):
        judge(MAILCHIMP, answer(ERROR, created=2), Sent(3, ("b@example.com", "b@example.com", "c@example.com")))


@pytest.mark.parametrize("body", [b"", b"Forbidden", b"<html>Forbidden</html>"])
def test_a_bare_403_means_slow_down(body: bytes) -> None:
    with pytest.raises(Retryable) as error:
        judge(MAILCHIMP, Reply(403, {}, body), SENT)
    assert error.value.slow_down
    assert error.value.code == "slow_down"


def test_a_403_in_json_means_no() -> None:
    with pytest.raises(Unauthorized, match=r"auth\.refused: HTTP 403: Not your list"):
        judge(MAILCHIMP, Reply.of({"title": "Forbidden", "detail": "Not your list"}, 403), SENT)
