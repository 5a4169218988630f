"""Drop zones to test with, which can also do what customers do."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3.session
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server import werkzeug_app
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from batch.folder import FolderZone
from batch.s3 import S3Zone


@dataclass(frozen=True)
class S3:
    """Settings that lead to the stand-in for S3."""

    endpoint_url: str | None
    region: str | None = "eu-north-1"


class AnyText(werkzeug_app.RegexConverter):
    """The stand-in's routes, which otherwise know no key with a line feed, as S3 does."""

    def __init__(self, url_map: Any, pattern: str) -> None:
        super().__init__(url_map, f"(?s:{pattern})")


@functools.cache
def s3_server() -> str:
    """The address of a stand-in for S3, which lives as long as the tests."""
    werkzeug_app.RegexConverter = AnyText
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


_NEW_SESSION = boto3.session.Session


@functools.cache
def _session() -> boto3.session.Session:
    """One session for all, for each reads the service's description from the disk again."""
    return _NEW_SESSION()


def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give boto3 made-up credentials, and nothing of this machine's own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up-secret")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)


def equipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give boto3 what it needs to speak with the stand-in."""
    credentials(monkeypatch)
    monkeypatch.setattr("boto3.session.Session", _session)


class Bucket(S3Zone):
    """A bucket of its own in the stand-in."""

    @classmethod
    def make(cls, monkeypatch: pytest.MonkeyPatch, prefix: str = "") -> Bucket:
        equipped(monkeypatch)
        return cls.new(prefix)

    @classmethod
    def new(cls, prefix: str = "") -> Bucket:
        """Make one where everything is `equipped` already."""
        bucket = f"drops-{uuid4().hex}"
        zone = cls(bucket, prefix, S3(s3_server()))
        zone._client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
        if prefix:  # somebody else's, which must never be seen
            zone._client.put_object(Bucket=bucket, Key="abc/not-ours.csv", Body=b"x")
        return zone

    def lay(self, key: str, content: bytes) -> None:
        self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=content)

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)

    def fill(self, keys: Iterable[str]) -> None:
        """Put many small files; past HTTP, for it would take a minute."""
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        for key in keys:
            backend.put_object(self._bucket, self._prefix + key, b"x")


class Folder(FolderZone):
    """A folder of its own."""

    def __init__(self, root: Path) -> None:
        root.mkdir(exist_ok=True)
        super().__init__(root)

    def lay(self, key: str, content: bytes) -> None:
        path = self._root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def delete(self, key: str) -> None:
        (self._root / key).unlink()

    def fill(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.lay(key, b"x")


Zone = Bucket | Folder
