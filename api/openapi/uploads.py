"""The operations on uploads."""

from __future__ import annotations

from api.openapi import examples
from api.openapi.answers import PRESIGNED, SIGNED, answered, refusals
from api.openapi.operation import Operation, body, operation, parameter
from api.openapi.schemas import Schema
from api.presigning import LONGEST
from api.uploads import SECONDS

_PATTERNS = {
    "file": "^[^_./\\u0000][^/\\u0000]*/[^\\u0000]+$",
    "X-Amz-Algorithm": "^AWS4-HMAC-SHA256$",
    "X-Amz-Credential": "^[A-Za-z0-9_]{16,128}/[0-9]{8}/[^/]+/[^/]+/aws4_request$",
    "X-Amz-Date": "^[0-9]{8}T[0-9]{6}Z$",
    "X-Amz-SignedHeaders": "^host$",
}


def post() -> Operation:
    """Return the operation that makes an address for a file."""
    return operation(
        "postUpload",
        "uploads",
        "Ask for an address to put a file at",
        f"Makes an address to which one file can be PUT for {SECONDS} seconds without a further signature. Where the "
        "drop zone is a bucket of S3, it is S3's own.",
        {
            "201": answered("The address.", "Upload", one=examples.UPLOAD),
            **refusals((*SIGNED, "request.host", "body.shape", "group", "upload.name")),
        },
        requestBody=body("NewUpload", examples.NEW_UPLOAD),
    )


def put() -> Operation:
    """Return the operation that takes a file."""
    shown = {"file": examples.DROP, **examples.SIGNED_QUERY}
    schemas: dict[str, Schema] = {name: {"type": "string", "pattern": one} for name, one in _PATTERNS.items()}
    schemas["X-Amz-Expires"] = {"type": "integer", "minimum": 1, "maximum": LONGEST}
    content = {
        "schema": {"type": "string", "contentMediaType": "application/octet-stream"},
        "examples": {"csv": {"value": examples.FILE}},
    }
    return operation(
        "putUpload",
        "uploads",
        "Put a file",
        "Takes the bytes of a file at the address that `POST /v1/uploads` told, which is used as it is. It is here "
        "only where the drop zone is a folder. The file is a drop once the answer came.",
        {
            "201": answered("It is in the drop zone.", "Uploaded", one=examples.UPLOADED),
            **refusals((*PRESIGNED, "group")),
        },
        security=[{"presigned": []}],
        parameters=[
            parameter("query", name, schema, "As the address has it.", shown[name], required=True)
            for name, schema in schemas.items()
        ],
        requestBody={
            "description": "The file; without one, it is empty.",
            "content": {"application/octet-stream": content},
        },
    )
