"""Errors that callers get: each with a stable code, a sentence that says what to do, and an HTTP status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Detail:
    """What is wrong with one attribute of a record; None for the record as a whole."""

    attribute: str | None
    code: str
    message: str


class ApiError(Exception):
    """The request is not carried out: `status` and `code` say why, `message` says what to do."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Sequence[Detail] = (),
        *,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.retry_after = retry_after


class Disconnected(Exception):
    """The caller went away before the whole request came: there is nobody to answer."""
