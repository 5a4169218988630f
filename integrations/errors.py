"""How a request can go wrong, named after what to do next."""

from __future__ import annotations


class DeliveryError(Exception):
    """A request that did not end with an answer for each record.

    `code` is stable and listed in the docs; `message` is a sentence for people, without record values. `status` is the
    HTTP status of the answer that says so, if one does.
    """

    status: int | None = None

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Retryable(DeliveryError):
    """Not taken now; may be tried again, not before `retry_after` seconds when that is given.

    `slow_down` marks an answer that means "too fast" (429): it costs patience, not tries.
    `maybe_taken` marks an answer that does not exclude that the records were stored (500, 502, 504).
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retry_after: float | None = None,
        slow_down: bool = False,
        maybe_taken: bool = False,
    ) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after
        self.slow_down = slow_down
        self.maybe_taken = maybe_taken


class Refused(DeliveryError):
    """The destination said no to the request as a whole and stored nothing: split it to find the culprit."""


class Unauthorized(DeliveryError):
    """Credentials or address are not accepted: the integration stops until an operator has mended it."""


class Ambiguous(DeliveryError):
    """The destination may or may not have the records: nobody may say "delivered" or "failed"."""


class Gone(DeliveryError):
    """The job is not there any more, or never began: nobody will tell of it, so the records are to be sent anew."""
