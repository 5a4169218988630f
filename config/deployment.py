"""The deployment: where drops lie, where the ledger is, and how hard deliveries are tried (`flatdrop.yaml`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from config.errors import BadValueError
from config.group import Group
from config.limits import Limits
from config.schedule import Schedule
from config.section import Section, without_nulls

PREFIX = "FLATDROP_"
_LEDGERS = ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg")


class S3(Section):
    """How S3 is reached; credentials come the way every AWS tool finds them."""

    endpoint_url: str | None = Field(
        None, pattern="^https?://", description="The address of an S3-compatible store; AWS if not given."
    )
    region: str | None = Field(None, description="The AWS region; as AWS tools find it if not given.")


class Api(Section):
    """Where the API listens, and what signatures must name."""

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="The port to listen on.")
    region: str = Field("eu-north-1", description="The region that a signature must name.")
    service: str = Field("execute-api", description="The service that a signature must name.")
    secret_key: str = Field(
        "env:FLATDROP_SECRET_KEY",
        description="A reference to the key that the API keys' secrets are encrypted with: 32 bytes in base64, "
        "as `openssl rand -base64 32` makes them.",
    )
    clock_skew: int = Field(300, ge=1, le=900, description="Seconds that a signature's time may be off.")
    requests_per_second: float = Field(
        1000, gt=0, description="How many requests one key may make a second; more are answered 429."
    )
    max_body: int = Field(1 << 20, ge=1024, le=16 << 20, description="Bytes that the body of a request may have.")
    max_upload: int = Field(
        5 << 30, ge=1024, description="Bytes that a file may have that is uploaded to a drop zone in a folder."
    )
    url: str | None = Field(
        None,
        pattern="^https?://[^/?#]+$",
        description="The address that callers know, like `https://in.example.com`; "
        "else `http://` and their Host header.",
    )
    window: float = Field(
        0.02, gt=0, le=1, description="Seconds for which records are gathered, to be written to the drop zone together."
    )


class Delivery(Section):
    """How hard a request is tried before its rows fail."""

    tries: int = Field(5, ge=1, description="How often a request is tried when the destination is down (5xx).")
    patience: float = Field(
        300, ge=0, description="Seconds to go on waiting for a destination that says it is asked too often (429)."
    )
    timeout: float = Field(60, gt=0, description="Seconds to wait for an answer.")


class Deployment(BaseSettings):
    """One installation of Flatdrop.

    Every value can be overridden by the environment: FLATDROP_LEDGER, FLATDROP_S3__REGION.
    """

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=PREFIX, env_nested_delimiter="__", hide_input_in_errors=True
    )

    drop_zone: str = Field(
        description="Where drops are put: `s3://bucket[/prefix]` or a folder.", examples=["s3://acme-drops", "./drop"]
    )
    s3: S3 = Field(S3(), description="How S3 is reached.")
    ledger: str = Field(
        "sqlite:///flatdrop.db",
        repr=False,  # it may hold a password
        description="The ledger's database: `sqlite:///FILE` or `postgresql+psycopg://USER:PASSWORD@HOST/DATABASE`.",
    )
    groups: Path = Field(Path("groups"), description="The folder of the groups' files, one YAML file a group.")
    schedule: Schedule = Field(Schedule(), description="When drops are taken up; a group may override it.")
    api: Api = Field(Api(), description="The signed endpoint.")
    delivery: Delivery = Field(Delivery(), description="How hard deliveries are tried.")
    limits: Limits = Field(Limits(), description="How large things may be.")

    _base: Path = PrivateAttr()

    _without_nulls = model_validator(mode="before")(without_nulls)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override the file, and nothing else."""
        return env_settings, init_settings

    @field_validator("drop_zone")
    @classmethod
    def _usable_drop_zone(cls, drop_zone: str) -> str:
        scheme, separator, rest = drop_zone.partition("://")
        if separator and (scheme != "s3" or not rest.partition("/")[0]):
            raise BadValueError("must be `s3://bucket[/prefix]` or a folder")
        if not drop_zone.strip():
            raise BadValueError("must not be empty")
        return drop_zone

    @field_validator("ledger")
    @classmethod
    def _usable_ledger(cls, ledger: str) -> str:
        url = _url(ledger)
        if url.drivername not in _LEDGERS:
            raise BadValueError("must be `sqlite:///FILE` or `postgresql+psycopg://USER:PASSWORD@HOST/DATABASE`")
        if url.drivername.startswith("sqlite") and url.database in (None, "", ":memory:"):
            raise BadValueError("must name a file, like `sqlite:///flatdrop.db`: the ledger outlives the process")
        return ledger

    @field_validator("limits")
    @classmethod
    def _room_for_a_body(cls, limits: Limits, others: ValidationInfo) -> Limits:
        body = others.data["api"].max_body if "api" in others.data else 0
        if limits.record < body:
            raise BadValueError(f"must let a record be as large as `api.max_body`, which is {body:,} bytes")
        return limits

    @property
    def base(self) -> Path:
        """The folder of `flatdrop.yaml`, which every path in the configuration is relative to."""
        return self._base

    def located(self, base: Path) -> Self:
        """Return the deployment with every path made absolute, seen from `base`."""
        values: dict[str, Any] = {"groups": base / self.groups, "ledger": _absolute(self.ledger, base)}
        if "://" not in self.drop_zone:
            values["drop_zone"] = str(base / Path(self.drop_zone).expanduser())
        found = self.model_copy(update=values)
        found._base = base
        return found

    def schedule_of(self, group: Group) -> tuple[str, str] | None:
        """Return the cron expression and the time zone of a group, or None when it has no schedule."""
        cron = group.schedule.cron or self.schedule.cron
        timezone = group.schedule.timezone or self.schedule.timezone or "UTC"
        return (cron, timezone) if cron else None


def _url(text: str) -> URL:
    try:
        return make_url(text)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise BadValueError("is not a database URL, like `sqlite:///flatdrop.db`") from None


def _absolute(ledger: str, base: Path) -> str:
    url = _url(ledger)
    if not url.drivername.startswith("sqlite"):
        return ledger
    return url.set(database=str(base / (url.database or ""))).render_as_string(hide_password=False)
