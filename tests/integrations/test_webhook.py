"""A webhook's 2xx is a yes, save for the records that it names by index, and unless it makes no sense."""

from __future__ import annotations

import pytest

from integrations.catalog import CATALOG
from integrations.errors import Ambiguous
from integrations.exchange import JSON, Reply, Sent, Verdict
from integrations.reply import judge

WEBHOOK = CATALOG["webhook"]
SENT = Sent(3)

YES = [
    *(b"", b"\r\n", b"ok", b"OK\n", b"Accepted"),
    *(b"{}", b"[]", b"null", b"true", b'"done"', b'{"errors": []}', b'{"errors": null}', b'{"received": 3}'),
]
NONSENSE: list[JSON] = [
    *([{"index": 3}], [{"index": -1}], [{"index": 1}, {"index": 1}]),
    *([{}], [1], [[1]], {"0": "no"}, "no", True, 1),
    *([{"index": index}] for index in (None, "1", 1.0, False)),
]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 207])
@pytest.mark.parametrize("body", YES)
def test_yes(status: int, body: bytes) -> None:
    assert judge(WEBHOOK, Reply(status, {}, body), SENT) == ()


def test_yes_but() -> None:
    errors = [{"index": 2, "code": "dup", "message": "Seen before"}, {"index": 0}]
    expected = (Verdict(2, "dup", "Seen before"), Verdict(0, "", ""))
    assert judge(WEBHOOK, Reply.of({"errors": errors}), SENT) == expected


@pytest.mark.parametrize("errors", NONSENSE)
def test_errors_that_cannot_be_matched_are_ambiguous(errors: JSON) -> None:
    with pytest.raises(Ambiguous):
        judge(WEBHOOK, Reply.of({"errors": errors}), SENT)
