"""Attributes: what a customer's records carry, with declared types and rules."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

AttributeType = Literal["string", "email", "phone", "integer", "number", "boolean", "date", "datetime", "list"]

_ORDERED = {"integer", "number", "date", "datetime"}
_TEXT = {"string", "email", "phone"}


class Attribute(BaseModel):
    """One attribute of a record: its type, and the rules that its values must keep."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: AttributeType = Field("string", description="How the text of a cell is read and normalised.")
    required: bool = Field(False, description="A record without a value here is invalid.")
    unique: bool = Field(False, description="A value may stand in one row of a file only; the first row keeps it.")
    min: float | str | None = Field(None, description="The least number, or the first date, that is allowed.")
    max: float | str | None = Field(None, description="The greatest number, or the last date, that is allowed.")
    min_length: int | None = Field(None, ge=0, description="The least count of characters, or of items in a list.")
    max_length: int | None = Field(None, ge=0, description="The greatest count of characters, or of items in a list.")
    matches: str | None = Field(None, description="A regular expression (Rust syntax) that the text must match.")
    one_of: tuple[str | float, ...] | None = Field(None, description="The only values that are allowed.")
    region: str | None = Field(
        None, pattern="^[A-Z]{2}$", description="phone: the country of numbers that are written without one."
    )
    format: str | None = Field(None, description="date, datetime: how it is written (strptime); ISO 8601 if not given.")
