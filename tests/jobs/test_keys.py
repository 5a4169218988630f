"""API keys by the command line: made once, listed without secrets, revoked for good."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from api.keyring import Keyring
from api.vault import Vault
from batch.ledger import Ledger
from config import starting
from config.load import load

if TYPE_CHECKING:
    from support.commandline import Flatdrop  # pytest itself imports it, to rewrite its asserts

pytest_plugins = ("support.commandline",)

WRONG = "is not the key that the API keys' secrets were encrypted with"
SHORT = "what it refers to is not 32 bytes in base64 (make one with `openssl rand -base64 32`"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A starting configuration with a second group, in which the process stands."""
    starting.write(tmp_path / "home")
    groups = tmp_path / "home" / "groups"
    text = (groups / "acme-se.yaml").read_text("utf-8")
    (groups / "acme-no.yaml").write_text(text.replace("group_key: acme-se", "group_key: acme-no"), "utf-8")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def held(home: Path) -> Keyring:
    deployment = load(home)
    with Ledger.open(deployment.ledger) as ledger:
        ring = Keyring(ledger.keys, Vault.of(deployment))
        ring.refresh()
    return ring


def sentence(err: str) -> str:
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", err).split())


# create


def test_a_new_key_is_two_lines_to_paste(flatdrop: Flatdrop, home: Path) -> None:
    made = flatdrop("keys", "create", "--group", "acme-se")
    lines = re.fullmatch(r"ACCESS_KEY_ID=(FD[A-Z0-9]{18})\nSECRET_ACCESS_KEY=([A-Za-z0-9]{40})\n", made.out)
    assert made.code == 0
    assert lines is not None
    assert made.err == "The secret is not shown again: put it where the caller keeps such things.\n"
    found = held(home).find(lines[1])
    assert found is not None
    assert (found.secret, found.groups) == (lines[2], {"acme-se"})


def test_the_lines_are_read_by_a_shell(home: Path) -> None:
    flatdrop = Path(sys.executable).with_name("flatdrop")
    script = f'eval "$({flatdrop} keys create --group acme-se)" && echo "$ACCESS_KEY_ID:$SECRET_ACCESS_KEY"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert re.fullmatch(r"FD[A-Z0-9]{18}:[A-Za-z0-9]{40}\n", done.stdout)


def test_a_new_key_as_json(flatdrop: Flatdrop, home: Path) -> None:
    words = ["--group", "acme-se", "--group", "acme-no", "--group", "acme-se", "--name", "The [bold]shop"]
    made = flatdrop("keys", "create", *words, "--json")
    assert (made.code, made.err) == (0, "")
    assert list(made.json) == ["access_key_id", "secret_access_key", "name", "groups", "created_at"]
    assert made.json["name"] == "The [bold]shop"
    assert made.json["groups"] == ["acme-se", "acme-no"]
    assert datetime.fromisoformat(made.json["created_at"]).tzinfo is not None
    found = held(home).find(made.json["access_key_id"])
    assert found is not None
    assert (found.secret, found.groups) == (made.json["secret_access_key"], {"acme-se", "acme-no"})


USAGE = [
    ("keys create", "Missing option '--group'"),
    ("keys create --group acme-sf", "there is no group acme-sf (did you mean acme-se?)"),
    ("keys create --group acme-se --group nobody", "there is no group nobody"),
    ("keys create --group acme-se --name a\x1bb", "--name"),
    ("keys revoke", "Missing argument 'ID'"),
    ("keys revoke FDNOBODY", "there is no key FDNOBODY (`flatdrop keys list` lists them)"),
    ("keys make", "No such command"),
    ("keys list --config nowhere.yaml", "there is no such file"),
]


@pytest.mark.parametrize(("words", "says"), USAGE, ids=[words for words, _ in USAGE])
def test_usage_errors_are_sentences_and_make_no_key(flatdrop: Flatdrop, home: Path, words: str, says: str) -> None:
    done = flatdrop(*words.split(" "))
    assert (done.code, done.out) == (2, "")
    assert says in sentence(done.err)
    assert flatdrop("keys", "list", "--json").json == []


# the secret key


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read: No such file or directory (make one with `openssl rand -base64 32`"),
        ("hunter2\n", SHORT),
        (base64.b64encode(b"hunter2" * 4).decode(), SHORT),
        (base64.b64encode(b"hunter2" * 5).decode(), SHORT),
    ],
)
def test_without_a_secret_key_no_key_is_made(flatdrop: Flatdrop, home: Path, text: str | None, says: str) -> None:
    file = home / "secrets" / "flatdrop.key"
    file.unlink()
    if text is not None:
        file.write_text(text)
    done = flatdrop("keys", "create", "--group", "acme-se")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("api.secret_key: ")
    assert says in done.err
    assert text is None or text.strip() not in done.err
    assert flatdrop("keys", "list", "--json").json == []


def test_a_secret_key_that_no_variable_holds(flatdrop: Flatdrop, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATDROP_API__SECRET_KEY", "env:FLATDROP_SECRET_KEY")
    done = flatdrop("keys", "create", "--group", "acme-se")
    assert done.code == 2
    assert done.err.startswith("api.secret_key: the environment variable FLATDROP_SECRET_KEY is not set (make one with")
    monkeypatch.setenv("FLATDROP_SECRET_KEY", base64.b64encode(bytes(32)).decode())
    assert flatdrop("keys", "create", "--group", "acme-se").code == 0


def test_two_secret_keys_never_mix(flatdrop: Flatdrop, home: Path) -> None:
    old = flatdrop("keys", "create", "--group", "acme-se", "--json").json["access_key_id"]
    file = home / "secrets" / "flatdrop.key"
    other = base64.b64encode(b"hunter2!" * 4).decode()
    file.write_text(other)
    done = flatdrop("keys", "create", "--group", "acme-se", "--json")
    assert (done.code, done.out) == (2, "")
    assert WRONG in done.err
    assert other not in done.err
    assert [key["access_key_id"] for key in flatdrop("keys", "list", "--json").json] == [old]
    assert flatdrop("keys", "revoke", old).code == 0  # which needs no secret key: it may be lost
    assert flatdrop("keys", "create", "--group", "acme-se").code == 0


# list and revoke


def test_no_key_yet(flatdrop: Flatdrop, home: Path) -> None:
    assert flatdrop("keys", "list").out == "There is no key yet; `flatdrop keys create --group KEY` makes one.\n"
    assert flatdrop("keys", "list", "--json").json == []


def test_the_list_tells_everything_but_secrets(flatdrop: Flatdrop, home: Path) -> None:
    one = flatdrop("keys", "create", "--group", "acme-se", "--name", "The [bold]shop", "--json").json
    two = flatdrop("keys", "create", "--group", "acme-se", "--group", "acme-no", "--json").json
    with Ledger.open(load(home).ledger) as ledger:
        ledger.keys.used({one["access_key_id"]: datetime(2026, 11, 23, 12, tzinfo=UTC)})
        kept = ledger.keys.every()
    flatdrop("keys", "revoke", two["access_key_id"])
    listed = flatdrop("keys", "list", "--json")
    table = flatdrop("keys", "list")
    assert [key["access_key_id"] for key in listed.json] == [one["access_key_id"], two["access_key_id"]]
    fields = ["access_key_id", "name", "groups", "state", "created_at", "last_used_at", "revoked_at"]
    assert [list(key) for key in listed.json] == [fields, fields]
    assert [key["state"] for key in listed.json] == ["valid", "revoked"]
    assert listed.json[0]["last_used_at"] == "2026-11-23T12:00:00+00:00"
    heads, first, second = table.out.splitlines()
    assert heads.split() == ["id", "name", "groups", "created", "last", "used", "state"]
    assert first.startswith(one["access_key_id"])
    assert "The [bold]shop  acme-se  " in first
    assert first.rstrip().split("  ")[-2:] == ["2026-11-23 12:00:00Z", "valid"]
    assert "acme-se, acme-no" in second
    assert re.search(r"never +revoked$", second.rstrip())
    shown = listed.out + table.out + listed.err + table.err
    for secret in (
        one["secret_access_key"],
        two["secret_access_key"],
        *(base64.b64encode(key.secret).decode() for key in kept),
    ):
        assert secret not in shown


def test_a_revoked_key_is_gone_for_good(flatdrop: Flatdrop, home: Path) -> None:
    old, new = (flatdrop("keys", "create", "--group", "acme-se", "--json").json["access_key_id"] for _ in range(2))
    near = flatdrop("keys", "revoke", f"{old[:-1]}_")
    assert near.code == 2
    assert f"did you mean {old}?" in sentence(near.err)
    assert held(home).find(old) is not None
    first = flatdrop("keys", "revoke", old)
    assert (first.code, first.out) == (0, f"{old} is revoked.\n")
    ring = held(home)
    assert ring.find(old) is None
    assert ring.find(new) is not None
    again = flatdrop("keys", "revoke", old)
    assert again.code == 0
    assert re.fullmatch(rf"{old} was revoked before, \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\dZ\.\n", again.out)


def test_revoking_as_json(flatdrop: Flatdrop, home: Path) -> None:
    key_id = flatdrop("keys", "create", "--group", "acme-se", "--json").json["access_key_id"]
    first = flatdrop("keys", "revoke", key_id, "--json").json
    assert (first["access_key_id"], first["state"]) == (key_id, "revoked")
    assert first == flatdrop("keys", "revoke", key_id, "--json").json == flatdrop("keys", "list", "--json").json[0]


def test_a_key_is_revoked_even_while_a_group_s_file_is_wrong(flatdrop: Flatdrop, home: Path) -> None:
    key_id = flatdrop("keys", "create", "--group", "acme-se", "--json").json["access_key_id"]
    (home / "groups" / "acme-no.yaml").write_text("group_key: [\n")
    assert flatdrop("keys", "create", "--group", "acme-se").code == 2
    assert flatdrop("keys", "list").code == 0
    assert flatdrop("keys", "revoke", key_id).code == 0


@pytest.mark.parametrize("debug", ["", "1"])
def test_secrets_are_in_no_log(home: Path, debug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATDROP_DEBUG", debug)
    flatdrop = Path(sys.executable).with_name("flatdrop")
    command = [flatdrop, "--verbose", "keys", "create", "--group", "acme-se"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    secret = done.stdout.rpartition("=")[2].strip()
    assert len(secret) == 40
    assert secret not in done.stderr
    assert (home / "secrets" / "flatdrop.key").read_text().strip() not in done.stderr
    for file in (file for file in home.rglob("*") if file.is_file()):
        assert secret.encode() not in file.read_bytes()
