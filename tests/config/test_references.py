"""References to secrets lead to them, and no secret is ever told."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from config.errors import BadValueError
from config.references import parse, resolve


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("env:NAME", ("env", "NAME")),
        ("file:secrets/a b", ("file", "secrets/a b")),
        ("aws-secretsmanager:acme/keys#mailchimp", ("aws-secretsmanager", "acme/keys#mailchimp")),
        ("aws-ssm:/acme/key", ("aws-ssm", "/acme/key")),
    ],
)
def test_references(reference: str, parts: tuple[str, str]) -> None:
    assert parse(reference) == parts


@pytest.mark.parametrize("text", ["", "hunter2", "env:", "env: ", "ENV:NAME", "vault:hunter2", "env", "hunter2\nenv:X"])
def test_literals_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(BadValueError, match="never the secret itself") as caught:
        parse(text)
    assert "hunter2" not in str(caught.value)


def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", "hunter2")
    assert resolve("env:ACME_KEY", tmp_path) == "hunter2"


def test_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hunter2\n")
    assert resolve("file:key", tmp_path) == "hunter2"
    assert resolve(f"file:{tmp_path}/key", Path("/elsewhere")) == "hunter2"


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("env:NOT_SET", "the environment variable NOT_SET is not set"),
        ("env:BLANK", "is empty"),
        ("env:TWO_LINES", "holds a line break"),
        ("file:absent", "cannot be read: No such file"),
        ("file:.", "cannot be read: Is a directory"),
        ("file:blank", "is empty"),
        ("file:two-lines", "holds a line break"),
        ("file:binary", "is not text"),
    ],
)
def test_what_cannot_be_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, said: str) -> None:
    monkeypatch.setenv("BLANK", " ")
    monkeypatch.setenv("TWO_LINES", "hunter2\nX-Other: y")
    (tmp_path / "blank").write_text("\n")
    (tmp_path / "two-lines").write_text("hunter2\nhunter3\n")
    (tmp_path / "binary").write_bytes(b"hunter2\xff")
    with pytest.raises(BadValueError, match=said) as caught:
        resolve(reference, tmp_path)
    assert "hunter" not in str(caught.value)


@pytest.fixture
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.mark.usefixtures("_aws")
def test_aws(tmp_path: Path) -> None:
    with mock_aws():
        secrets = boto3.client("secretsmanager", "eu-north-1")
        secrets.create_secret(Name="acme/keys", SecretString=json.dumps({"mailchimp": "hunter2", "n": 1}))
        secrets.create_secret(Name="acme/plain", SecretString="hunter3")
        secrets.create_secret(Name="acme/binary", SecretBinary=b"x")
        ssm = boto3.client("ssm", "eu-north-1")
        ssm.put_parameter(Name="/acme/key", Value="hunter4", Type="SecureString")

        def _get(reference: str) -> str:
            return resolve(reference, tmp_path, "eu-north-1")

        assert _get("aws-secretsmanager:acme/keys#mailchimp") == "hunter2"
        assert _get("aws-secretsmanager:acme/plain") == "hunter3"
        assert _get("aws-ssm:/acme/key") == "hunter4"
        for reference, said in {
            "aws-secretsmanager:acme/keys#mailchmp": "has no text under the key mailchmp",
            "aws-secretsmanager:acme/keys#n": "has no text under the key n",
            "aws-secretsmanager:acme/plain#x": "is not a JSON object",
            "aws-secretsmanager:acme/binary": "is empty",
            "aws-secretsmanager:acme/nothing#x": "AWS does not give it: ResourceNotFoundException",
            "aws-ssm:/acme/nothing": "AWS does not give it: ParameterNotFound",
        }.items():
            with pytest.raises(BadValueError, match=said) as caught:
                _get(reference)
            assert "hunter" not in str(caught.value)


@pytest.mark.usefixtures("_aws")
def test_aws_without_a_region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(BadValueError, match="AWS cannot be asked: You must specify a region"):
        resolve("aws-ssm:x", tmp_path)
