"""Errors of batches, named after who must act. Rows have outcomes; these are for files and runs."""

from __future__ import annotations


class BatchError(Exception):
    """The file as a whole cannot be used (the customer acts): nothing of it is sent.

    `code` is stable and listed in the docs; `message` is a sentence that says what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class DropChanged(Exception):
    """The drop was overwritten or deleted after it was listed: it is taken up again as what it is now."""


class LeaseLost(Exception):
    """Another process has taken the batch over: stop at once, commit nothing more."""


class LedgerError(Exception):
    """The ledger cannot be used as configured (an operator acts); the text says why and what to do."""


class Stopped(Exception):
    """The program was asked to stop: what is owed stays owed, and the next run goes on."""
