"""Refused: why a request is not believed."""

from __future__ import annotations


class Refused(Exception):
    """A request that is not what its signer sent, or not what this API takes.

    `code` is stable and dotted; `message` is for the client, and never holds what was computed here.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
