"""References to secrets: the configuration says where a credential is kept, never the credential itself."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from config.errors import BadValueError
from mappers.nearest import nearest

FORMS = "`env:NAME`, `file:PATH`, `aws-secretsmanager:NAME#KEY` or `aws-ssm:NAME`"
_REFERENCE = re.compile(r"(env|file|aws-secretsmanager|aws-ssm):(\S.*)")


def parse(reference: str) -> tuple[str, str]:
    """Return the kind of a reference and the name of what it refers to.

    Raises:
        BadValueError: when it is not a reference; it may be the secret itself, so it is not repeated.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise BadValueError(f"must be a reference to a secret, never the secret itself: {FORMS}")
    return match[1], match[2]


def resolve(reference: str, base: Path, region: str | None = None) -> str:
    """Return the secret that a reference means; files are looked for from `base`.

    `region` is the AWS region to ask where the environment of AWS's tools names none.

    Raises:
        BadValueError: when there is no such secret, or it cannot be one.
    """
    kind, name = parse(reference)
    match kind:
        case "env":
            secret = _variable(name)
        case "file":
            secret = _file(base / Path(name).expanduser())
        case "aws-secretsmanager":
            secret = _secretsmanager(name, region)
        case _:
            secret = _ssm(name, region)
    if not secret.strip():
        raise BadValueError(f"what `{reference}` refers to is empty")
    if not secret.isprintable():  # it goes into a header, where a line break would begin another one
        raise BadValueError(f"what `{reference}` refers to holds a line break or a control character")
    return secret


def _variable(name: str) -> str:
    if name not in os.environ:
        raise BadValueError(f"the environment variable {name} is not set")
    return os.environ[name]


def _file(path: Path) -> str:
    try:
        return path.read_text("utf-8").rstrip("\r\n")
    except OSError as error:
        raise BadValueError(f"the file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadValueError(f"the file {path} is not text") from None


def _secretsmanager(name: str, region: str | None) -> str:
    secret, _, key = name.partition("#")
    text = _ask("secretsmanager", region, "get_secret_value", SecretId=secret).get("SecretString", "")
    if not key:
        return str(text)
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise BadValueError(f"the secret {secret} is not a JSON object, so it has no key {key}")
    if not isinstance(values.get(key), str):
        raise BadValueError(f"the secret {secret} has no text under the key {key}", nearest(key, values))
    return str(values[key])


def _ssm(name: str, region: str | None) -> str:
    return str(_ask("ssm", region, "get_parameter", Name=name, WithDecryption=True)["Parameter"]["Value"])


def _ask(service: str, region: str | None, operation: str, **what: Any) -> Any:
    import boto3  # noqa: PLC0415 - a tenth of a second that most configurations need not wait for
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        session = boto3.Session()
        client = session.client(service, region_name=session.region_name or region)
        return getattr(client, operation)(**what)
    except ClientError as error:
        raise BadValueError(f"AWS does not give it: {error.response['Error']['Code']}") from None
    except BotoCoreError as error:
        raise BadValueError(f"AWS cannot be asked: {error}") from None
