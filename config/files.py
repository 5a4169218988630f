"""How a group's files are written."""

from __future__ import annotations

from encodings.aliases import aliases

from pydantic import Field, field_validator

from config.errors import BadValueError
from config.section import Section
from mappers.nearest import nearest


class FileFormat(Section):
    """How a group's files are written; everything has a default."""

    delimiter: str | None = Field(
        None,
        description="The character between the cells of a CSV file; a comma if not given, a tab in `.tsv` files.",
        examples=[";"],
    )
    encoding: str = Field(
        "utf-8", description="How text is encoded; a file that begins with a byte order mark tells it by itself."
    )
    list_separator: str = Field("|", min_length=1, description="What stands between the items of a list in one cell.")
    clear: str = Field("#N/A", min_length=1, description="The text that stands for: empty this at the destination.")

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, delimiter: str | None) -> str | None:
        if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0'):
            raise BadValueError('must be one ASCII character, and no quote or line end; a tab is "\\t"')
        return delimiter

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        try:
            " ".encode(encoding)
        except (LookupError, ValueError):
            raise BadValueError("is not a text encoding", nearest(encoding, {*aliases, *aliases.values()})) from None
        return encoding
