"""How large a drop, what is in it, and a destination's reply may be."""

from __future__ import annotations

from pydantic import Field

from config.section import Section


class Limits(Section):
    """How large things may be. What is larger is refused, and the receipt says which limit it met.

    There is none for depth: records are flat, and anything deeper than a list of scalars is refused.
    """

    file: int = Field(20 << 30, ge=1, description="Bytes that a drop may have as it lies in the drop zone.")
    expanded: int = Field(100 << 30, ge=1, description="Bytes that a compressed drop may have when it is unpacked.")
    ratio: int = Field(
        1000,
        ge=1,
        description="How many times larger a compressed drop may become by unpacking; 64 MiB are always let be.",
    )
    record: int = Field(16 << 20, ge=1, description="Bytes that one record (a line) may have.")
    value: int = Field(1 << 20, ge=1, description="Bytes that one value, or one item of a list, may have.")
    attributes: int = Field(2000, ge=1, description="How many columns a file, or attributes a record may have.")
    reply: int = Field(16 << 20, ge=1024, description="Bytes that a destination's reply to one request may have.")


USUAL = Limits()
"""What holds where nothing else is configured."""
