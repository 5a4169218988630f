"""A drop zone on S3, Amazon's or any that speaks like it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import boto3.session
import smart_open.s3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError, NoCredentialsError
from botocore.exceptions import ConnectionError as NoConnectionError

from batch.batch import Drop
from batch.dropzone import DropZoneError, S3Settings, spool
from batch.errors import BatchError, DropChanged
from batch.failpoints import around
from batch.layout import Listing, is_group, sort_out

_PIECE = 1 << 20

_CONFIG = Config(
    signature_version="s3v4",  # or URLs would be presigned by version 2 in old regions, content type and all
    retries={"mode": "standard", "total_max_attempts": 5},
    connect_timeout=10,
    read_timeout=60,
)
# By its region's own address: at the common one, presigned URLs of a new bucket are redirected, which breaks them.
_CONFIG_AMAZON = _CONFIG.merge(Config(s3={"addressing_style": "virtual"}))
_CONFIG_ELSEWHERE = _CONFIG.merge(
    # Services other than Amazon's often have no names for buckets, and refuse the newer checksums.
    Config(
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
)

_ADVICE = {
    "NoSuchBucket": "the bucket does not exist; mend `drop_zone`, or make the bucket",
    "AccessDenied": "access is denied; the credentials need ListBucket, GetObject and PutObject on it",
    "403": "access is denied; the credentials need ListBucket, GetObject and PutObject on it",
    "InvalidAccessKeyId": "the access key is not known there; renew the credentials",
    "SignatureDoesNotMatch": "the secret key does not fit the access key; renew the credentials",
    "ExpiredToken": "the credentials have expired; renew them",
    "PermanentRedirect": "the bucket is in another region; mend `s3.region`",
    "AuthorizationHeaderMalformed": "the bucket is in another region; mend `s3.region`",
    "NoSuchKey": "there is no such object",
    "InvalidObjectState": "the object is archived; restore it first",
}


_CHANGED = {"PreconditionFailed", "412", "NoSuchKey", "404"}
_UNREADABLE = {"AccessDenied", "403", "InvalidObjectState"}  # one object's trouble, which the others need not share


class S3Zone:
    """A bucket, or what lies under a prefix of it; a drop's version is its ETag."""

    def __init__(self, bucket: str, prefix: str, settings: S3Settings) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        with self._explained():
            self._client: Any = boto3.session.Session().client(
                "s3",
                endpoint_url=settings.endpoint_url,
                region_name=settings.region,
                config=_config(bucket, settings),
            )
            self._client.meta.events.register("after-call.s3.GetObject", _expect_all)

    def groups(self) -> list[str]:
        """Return the group keys under which something lies."""
        start = len(self._prefix)
        names = [found["Prefix"][start:-1] for page in self._pages("", "/") for found in page.get("CommonPrefixes", ())]
        return sorted(filter(is_group, names))

    def listing(self, group_key: str) -> Listing:
        """Return the drops and strays of exactly this group."""
        return sort_out(
            self._drop(found["Key"].removeprefix(self._prefix), found["ETag"], found["Size"], found["LastModified"])
            for page in self._pages(f"{group_key}/")
            for found in page.get("Contents", ())
            if not found["Key"].endswith("/")  # what some tools put there to show a folder
        )

    def stat(self, key: str) -> Drop | None:
        """Return the object at the key as it is now, or None when there is none."""
        with self._speaking("stat"):
            try:
                head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
            except ClientError as error:
                if _status(error) == 404:
                    return None
                raise
        self._expect("ETag", head)
        return self._drop(key, head["ETag"], head["ContentLength"], head["LastModified"])

    def fetch(self, drop: Drop, to: Path) -> str:
        """Copy the drop to a local file and return its SHA-256; see DropZone."""
        try:
            return spool(self._pieces(drop), drop, to)
        except DropChanged:
            now = self.stat(drop.key)
            if now is None or (now.version, now.size) != (drop.version, drop.size):
                raise
        raise DropZoneError(
            f"s3://{self._bucket}: {drop.key} is there and did not come whole; the next run asks for it again."
        )

    def write(self, key: str, source: Path) -> None:
        """Put a local file at the key, whole or not at all, in parts when it is large."""
        with self._speaking("write"):
            self._client.upload_file(str(source), self._bucket, self._prefix + key)

    def put(self, key: str, content: bytes) -> None:
        """Put a small object at the key."""
        with self._speaking("put"):
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=content)

    def discard(self, key: str) -> None:
        """Remove an object of the program's own, if it is there."""
        with self._speaking("discard"):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)

    def upload_url(self, key: str, seconds: int) -> str:
        """Return an address to which the object at the key can be PUT for so long."""
        with self._explained():
            there = {"Bucket": self._bucket, "Key": self._prefix + key}
            url: str = self._client.generate_presigned_url("put_object", there, ExpiresIn=seconds)
            return url

    def read(self, key: str) -> bytes:
        """Return the bytes of a small object."""
        with self._speaking("read"), self._opened(key) as body:
            return body.read()

    def _pages(self, prefix: str, delimiter: str = "") -> Iterator[Any]:
        with self._speaking("listing"):
            lister = self._client.get_paginator("list_objects_v2")
            for page in lister.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix, Delimiter=delimiter):
                self._expect("IsTruncated", page)  # an answer without a body is no empty listing
                yield page

    def _expect(self, name: str, answer: dict[str, Any]) -> None:
        """Refuse an answer without what S3 always says: something on the way has given it."""
        if name not in answer:
            raise DropZoneError(
                f"s3://{self._bucket}: the answer is none of S3; look at `s3.endpoint_url` and the network."
            )

    def _drop(self, key: str, etag: str, size: int, modified: datetime) -> Drop:
        return Drop(key.partition("/")[0], key, etag.strip('"'), size, modified)

    def _pieces(self, drop: Drop) -> Iterator[bytes]:
        """Yield the drop's bytes; smart-open goes on where a connection broke, and IfMatch keeps it to this version."""
        with self._speaking("fetch"):
            try:
                with self._opened(drop.key, IfMatch=f'"{drop.version}"') as body:
                    while piece := body.read(_PIECE):
                        yield piece
            except OSError as error:
                code = _code(error)
                if code in _CHANGED:
                    raise DropChanged("it was overwritten or deleted after it was listed") from None
                if code in _UNREADABLE:
                    raise BatchError("file.unreadable", f"The file could not be read: {_ADVICE[code]}.") from None
                raise

    @contextmanager
    def _opened(self, key: str, **conditions: str) -> Iterator[BufferedIOBase]:
        with smart_open.s3.open(
            self._bucket,
            self._prefix + key,
            "rb",
            buffer_size=_PIECE,
            client=self._client,
            client_kwargs={"S3.Client.get_object": conditions},
        ) as body:
            yield body

    @contextmanager
    def _speaking(self, name: str) -> Iterator[None]:
        with self._explained(), around(f"zone.{name}"):
            yield

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what boto3 raises into a sentence for an operator."""
        try:
            yield
        except (BotoCoreError, ClientError, Boto3Error, ValueError, OSError) as error:
            raise DropZoneError(f"s3://{self._bucket}: {_reason(error)}.") from None


def _config(bucket: str, settings: S3Settings) -> Config:
    if settings.endpoint_url:
        return _CONFIG_ELSEWHERE
    return _CONFIG if "." in bucket else _CONFIG_AMAZON  # no certificate is good for a host name with more dots


def _expect_all(parsed: dict[str, Any], **_: object) -> None:
    """Refuse a body that is not as long as its own range: smart-open would ask for the rest without end."""
    found = re.match(r"bytes (\d+)-(\d+)/", parsed.get("ContentRange", ""))
    if found and (length := int(found[2]) + 1 - int(found[1])) != parsed.get("ContentLength", length):
        raise IncompleteReadError(actual_bytes=parsed["ContentLength"], expected_bytes=length)


def _answer(error: BaseException) -> ClientError | None:
    """Return the service's own answer, which smart-open and boto3's transfers wrap."""
    for found in (error, getattr(error, "backend_error", None), error.__context__):
        if isinstance(found, ClientError):
            return found
    return None


def _code(error: BaseException) -> str:
    answer = _answer(error)
    return str(answer.response["Error"].get("Code", "")) if answer else ""


def _status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


def _reason(error: Exception) -> str:
    if code := _code(error):
        return _ADVICE.get(code, f"the service answered {code}")
    if isinstance(error, NoCredentialsError):
        return "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    if isinstance(error, NoConnectionError | HTTPClientError):
        return f"the service cannot be reached ({type(error).__name__}); look at `s3.endpoint_url` and the network"
    return " ".join(str(error).split()).rstrip(".")
