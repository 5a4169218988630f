"""Uploads: an address for a drop, so that a customer needs no account at the drop zone."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import msgspec
from starlette.types import Receive, Scope

from api import reply
from api.errors import ApiError, Disconnected
from api.gate import Call, decoded, expect_bare, refused, too_large
from api.keyring import Keyring
from api.presigning import presign
from api.reply import Reply
from api.signature import Refused, Signed, Verifier
from batch.dropzone import DropZone
from batch.layout import is_drop
from config.deployment import Api

SECONDS = 900
"""How long an address for an upload is good."""

_PATIENCE = 60  # seconds without a byte
_MOST_NAME = 900  # bytes; S3 has room for 1,024, with its prefix
_MOST_SEGMENT = 200  # bytes; a file system has room for 255, with a batch's id behind the name


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    group_key: str
    file: str


_decode = msgspec.json.Decoder(_Asked).decode


@dataclass(frozen=True, slots=True, eq=False)
class Uploads:
    """The uploads' endpoints."""

    zone: DropZone
    verifier: Verifier
    keyring: Keyring
    settings: Api
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def post(self, call: Call) -> Reply:
        """Make an address to which a drop can be PUT.

        Raises:
            ApiError: when the file's name is not one of a drop, or the group is somebody else's.
        """
        asked = _asked(call.body)
        if asked.group_key not in call.groups:
            raise ApiError(403, "group", "This key may not use this group.")
        key = _key(asked)
        url = await asyncio.to_thread(self.zone.upload_url, key, SECONDS)
        until = self.now() + timedelta(seconds=SECONDS)
        told = {
            "url": url or self._own_url(call, key),
            "method": "PUT",
            "file": key,
            "expires_at": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return reply.of(201, told, noted={"group": asked.group_key})

    async def put(self, scope: Scope, receive: Receive) -> Reply:
        """Take the bytes of a drop at an address that `post` made.

        Raises:
            ApiError: when the address was not made here, is too old, or is another file's.
        """
        signed = await self._signed(scope)
        key = decoded(scope["query_string"]).get("file", "")
        if key.partition("/")[0] not in signed.credential.groups or not _is_fit(key):
            raise ApiError(403, "group", "This key may not use this group.")
        expect_bare(scope["headers"], self.settings.max_upload)
        with tempfile.TemporaryDirectory(prefix="upload-") as folder:
            whole = Path(folder) / "drop"
            sha256, size = await self._saved(whole, receive)
            await asyncio.to_thread(self.zone.write, key, whole)
        told = {"file": key, "bytes": size, "sha256": sha256}
        return reply.of(201, told, noted={"key": signed.credential.id, "group": key.partition("/")[0]})

    async def _signed(self, scope: Scope) -> Signed:
        """Return who made the address; one who is not known is looked for again among the keys as they are now."""
        said = scope["method"], scope["raw_path"], scope["query_string"], scope["headers"]
        with suppress(Refused):
            return self.verifier.verify_query(*said)
        await self.keyring.fresh()
        try:
            return self.verifier.verify_query(*said)
        except Refused as error:
            raise refused(error) from None

    def _own_url(self, call: Call, key: str) -> str:
        host = call.headers[b"host"].decode("latin-1")  # the one that was signed
        address = f"{self.settings.url or f'http://{host}'}/v1/uploads?file={quote(key, safe='')}"
        region, service, at = self.settings.region, self.settings.service, self.now()
        try:
            return presign(call.signed.credential, region, service, method="PUT", url=address, seconds=SECONDS, at=at)
        except ValueError:
            raise ApiError(400, "request.host", "The Host header is not the name of a host.") from None

    async def _saved(self, to: Path, receive: Receive) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        with to.open("wb") as file:
            async for piece in _pieces(receive):
                size += len(piece)
                if size > self.settings.max_upload:
                    raise too_large(self.settings.max_upload)
                digest.update(piece)
                await asyncio.to_thread(file.write, piece)
        return digest.hexdigest(), size


def _asked(body: bytes) -> _Asked:
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        message = 'The body must be {"group_key": "…", "file": "customers.csv"} and nothing else.'
        raise ApiError(400, "body.shape", message) from None


def _key(asked: _Asked) -> str:
    key = f"{asked.group_key}/{asked.file}"
    if not _is_fit(key):
        message = (
            "The file must have a name like customers.csv or 2026/customers.jsonl.gz: .csv, .tsv, .jsonl or .ndjson, "
            "then perhaps .gz, .zst or .bz2, not beginning with _ or a dot."
        )
        raise ApiError(422, "upload.name", message)
    return key


def _is_fit(key: str) -> bool:
    if not (key.isprintable() and is_drop(key) and len(key.encode()) <= _MOST_NAME):
        return False
    return all(segment not in ("", ".", "..") and len(segment.encode()) <= _MOST_SEGMENT for segment in key.split("/"))


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        try:
            async with asyncio.timeout(_PATIENCE):
                message = await receive()
        except TimeoutError:
            raise ApiError(408, "body.timeout", f"Nothing came for {_PATIENCE} seconds.") from None
        if message["type"] != "http.request":
            raise Disconnected
        more = message.get("more_body", False)
        yield message.get("body", b"")
