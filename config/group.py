"""A group: what its customer sends, and where it goes (one file of `groups/`)."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from pydantic import (
    BaseModel,
    Field,
    PrivateAttr,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    field_validator,
)

from config.errors import BadValueError, ConfigError, Problem
from config.files import FileFormat
from config.located import Source
from config.schedule import Schedule
from config.section import Section
from mappers.attribute import Attribute

Scalar = StrictStr | StrictInt | StrictFloat | StrictBool


class MappingTest(BaseModel):
    """A record, and what the destination must be sent for it; run by `flatdrop config test`, offline."""

    model_config = Section.model_config  # and not a Section, since null means something here

    given: dict[str, Scalar | list[Scalar] | None] = Field(description="The record as the customer sends it.")
    expect: dict[str, Any] | None = Field(description="The item that is sent; null: `where` leaves the record out.")


class EnabledIntegration(Section):
    """A destination of the group: a type of the catalog with credentials, settings and a mapping."""

    type: str = Field(description="A type of the catalog; `flatdrop integrations` lists them.")
    credentials: dict[str, str] = Field(
        {},
        description="References to secrets, never the secrets: `env:NAME`, `file:PATH`, "
        "`aws-secretsmanager:NAME#KEY` or `aws-ssm:NAME`.",
    )
    settings: dict[str, StrictStr | StrictInt | StrictFloat] = Field({}, description="The settings that the type has.")
    where: str | None = Field(
        None, description="A SQL expression: only records for which it is true are sent.", examples=["consent"]
    )
    mapping: dict[str, str] = Field(
        min_length=1, description="For each field of the destination a SQL expression over the record's attributes."
    )
    tests: tuple[MappingTest, ...] = Field((), description="Records with what must be sent for them.")


class Group(Section):
    """What is known under one group key: the attributes of its records and its enabled integrations."""

    group_key: str = Field(description="The first folder of the group's drops.", examples=["abc123"])
    name: str = Field("", description="What people call the group.")
    files: FileFormat = Field(FileFormat(), description="How the group's files are written.")
    attributes: dict[str, Attribute] = Field(
        {}, description="What the customer sends; an attribute that is not listed is text."
    )
    unknown_attributes: Literal["accept", "reject"] = Field(
        "accept", description="Whether files may have attributes that are not listed."
    )
    schedule: Schedule = Field(Schedule(), description="Overrides the deployment's.")
    integrations: dict[str, EnabledIntegration] = Field(
        min_length=1, description="The destinations, each under a name of your choice."
    )

    _source: Source | None = PrivateAttr(None)

    @field_validator("group_key")
    @classmethod
    def _one_folder(cls, key: str) -> str:
        if not key or "/" in key or key[0] in "_." or not key.isprintable() or key != key.strip():
            raise BadValueError(
                "must be one folder's name: without `/`, not beginning with `_` or `.`, without space at its ends"
            )
        return key

    @field_validator("attributes", mode="before")
    @classmethod
    def _bare_names(cls, attributes: Any) -> Any:
        """Take an attribute without rules (`name:`) as text."""
        if not isinstance(attributes, dict):
            return attributes
        return {name: {} if rules is None else rules for name, rules in attributes.items()}

    @property
    def closed(self) -> bool:
        """Whether records may have no other attributes than those listed."""
        return self.unknown_attributes == "reject"

    def of_records(self) -> Group:
        """Return the group as it counts for records that come one by one, as JSON in UTF-8.

        Each of them is a drop of its own, so that no value of one can stand in an earlier row.
        """
        attributes = {name: one.model_copy(update={"unique": False}) for name, one in self.attributes.items()}
        files = self.files.model_copy(update={"encoding": "utf-8"})
        return self.model_copy(update={"attributes": attributes, "files": files})

    @property
    def document(self) -> str:
        """The group as JSON text, always the same for the same meaning, with references instead of secrets.

        Mapped fields keep their order, since it is the order of the members that are sent.
        """
        return self.model_dump_json()

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the document, which names this state of the configuration."""
        return hashlib.sha256(self.document.encode()).hexdigest()

    @classmethod
    def from_document(cls, text: str) -> Group:
        """Return the group that a document tells.

        Raises:
            ConfigError: when it was written by a version of the program that this one does not understand.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            reason = "the configuration that was kept with the batch does not fit this version of the program"
            raise ConfigError([Problem(reason)]) from None

    @property
    def source(self) -> Source:
        """The file that the group was read from; nothing but a name when it comes from a document."""
        return self._source or Source(None, {}, {})
