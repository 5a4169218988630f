"""The OpenAPI document: what is under /v1/openapi.json."""

from __future__ import annotations

from functools import cache
from typing import Any

from starlette.types import Receive, Scope

from api import reply
from api.openapi import batches, records, service, uploads
from api.openapi.operation import Operation
from api.openapi.schemas import schemas
from api.reply import Reply

_DESCRIPTION = """\
Takes records one by one, and files, for the groups of an API key, and tells what became of them on every integration.

**Signing.** Requests are signed with AWS Signature Version 4, for the service `execute-api` and the region of the \
installation, so that `curl --aws-sigv4`, botocore, the AWS SDKs and Postman work as they are. `Host` and `X-Amz-Date` \
must be signed, and `Content-Type` and every other `X-Amz-*` if they are sent; the payload always is. A signature \
is good for a few minutes.

**Errors** have a stable `code`, a `message` for people, and `details` where a record breaks rules of its group. A \
method that a path does not take is answered 405 `request.method` with an `Allow` header, an unknown path 404 `path`.

**Promised.** A record that was answered 200 or 202 is durable: it is delivered at least once, never silently lost."""

_SIGV4 = {
    "type": "apiKey",
    "in": "header",
    "name": "Authorization",
    "description": "AWS Signature Version 4: `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`, with the "
    "header `X-Amz-Date`.",
    "x-amazon-apigateway-authtype": "awsSigv4",
}
_PRESIGNED = {
    "type": "apiKey",
    "in": "query",
    "name": "X-Amz-Signature",
    "description": "The signature in the address that `POST /v1/uploads` told; it is good for that address alone.",
}
_TAGS = {
    "records": "Records, one by one.",
    "batches": "Batches, and their receipts.",
    "uploads": "Files, put into the drop zone without an account there.",
    "service": "The service itself; not signed.",
}


def document() -> dict[str, Any]:
    """Return the OpenAPI document of the API."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Flatdrop", "version": "1", "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"sigv4": []}],
        "tags": [{"name": name, "description": described} for name, described in _TAGS.items()],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"sigv4": _SIGV4, "presigned": _PRESIGNED},
            "schemas": schemas(),
        },
    }


def _paths() -> dict[str, dict[str, Operation]]:
    return {
        "/v1/records": {"post": records.post()},
        "/v1/records/{record_id}": {"get": records.get()},
        "/v1/batches": {"get": batches.listed()},
        "/v1/batches/{batch}": {"get": batches.get()},
        "/v1/uploads": {"post": uploads.post(), "put": uploads.put()},
        "/v1/openapi.json": {"get": service.openapi()},
        "/healthz": {"get": service.alive()},
        "/readyz": {"get": service.ready()},
    }


async def answer(_scope: Scope, _receive: Receive) -> Reply:
    """Tell the document; it is made once."""
    return _reply()


@cache
def _reply() -> Reply:
    return reply.of(200, document())
