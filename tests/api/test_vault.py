"""Secrets are opened with the key that encrypted them, for the key id that they belong to, and by nothing else."""

from __future__ import annotations

import base64
import secrets
import stat
from pathlib import Path

import pytest

from api.vault import Vault
from config import starting
from config.errors import ConfigError
from config.load import load

RAW = bytes(range(224, 256))  # whose base64 differs between the two alphabets
STANDARD = base64.b64encode(RAW).decode()
URL_SAFE = base64.urlsafe_b64encode(RAW).decode()
NONE = "what it refers to is not 32 bytes in base64"
WRONG = "is not the key that the API keys' secrets were encrypted with"


def a_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.mark.parametrize("written", [STANDARD, URL_SAFE, STANDARD.rstrip("="), URL_SAFE.rstrip("=")])
def test_every_way_to_write_a_key_means_the_same(written: str) -> None:
    assert STANDARD != URL_SAFE
    kept = Vault(STANDARD).encrypt("hunter2", "FD1")
    assert Vault(written).decrypt(kept, "FD1") == "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        "",
        base64.b64encode(bytes(31)).decode(),
        base64.b64encode(bytes(33)).decode(),
        base64.b64encode(bytes(16)).decode(),
        "x" * 43,  # the right length, but more than 32 bytes
        STANDARD + "=",
        STANDARD[:-1] + "\n",
        " " + STANDARD,
        STANDARD[:20] + "+_" + STANDARD[22:],
        RAW.hex(),
        "é" * 43,
    ],
)
def test_what_is_no_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Vault(text)
    said = str(refused.value)
    assert said.startswith(f"api.secret_key: {NONE} (make one with `openssl rand -base64 32`")
    assert not text or text not in said


def test_what_is_kept_does_not_tell_the_secret() -> None:
    vault = Vault(a_key())
    one, other = vault.encrypt("hunter2", "FD1"), vault.encrypt("hunter2", "FD1")
    assert b"hunter2" not in one
    assert one != other
    assert one[:12] != other[:12]  # a nonce that comes twice would give both secrets away


def test_secrets_cannot_be_swapped() -> None:
    vault = Vault(a_key())
    one, other = vault.encrypt("one", "FD1"), vault.encrypt("other", "FD2")
    assert (vault.decrypt(one, "FD1"), vault.decrypt(other, "FD2")) == ("one", "other")
    for kept, key_id in ((one, "FD2"), (other, "FD1")):
        with pytest.raises(ConfigError, match=WRONG):
            vault.decrypt(kept, key_id)


def test_another_key_opens_nothing() -> None:
    kept = Vault(a_key()).encrypt("hunter2", "FD1")
    with pytest.raises(ConfigError) as refused:
        Vault(a_key()).decrypt(kept, "FD1")
    assert WRONG in str(refused.value)
    assert "does not open that of FD1" in str(refused.value)


def test_damage_is_noticed() -> None:
    vault = Vault(STANDARD)
    kept = vault.encrypt("hunter2", "FD1")
    flipped = [kept[:at] + bytes([kept[at] ^ 1]) + kept[at + 1 :] for at in range(len(kept))]
    for damaged in [*flipped, *(kept[:length] for length in range(len(kept)))]:
        with pytest.raises(ConfigError, match=WRONG):
            vault.decrypt(damaged, "FD1")


def test_a_vault_shows_nothing() -> None:
    vault = Vault(STANDARD)
    assert STANDARD not in repr(vault) + repr(vars(vault))
    assert repr(RAW) not in repr(vars(vault))


def test_the_starting_configuration_has_a_key_of_its_own(tmp_path: Path) -> None:
    for name in ("one", "other"):
        assert tmp_path / name / "secrets/flatdrop.key" in starting.write(tmp_path / name)
        assert stat.S_IMODE((tmp_path / name / "secrets/flatdrop.key").stat().st_mode) == 0o600
    kept = Vault.of(load(tmp_path / "one")).encrypt("hunter2", "FD1")
    assert Vault.of(load(tmp_path / "one")).decrypt(kept, "FD1") == "hunter2"
    with pytest.raises(ConfigError, match=WRONG):
        Vault.of(load(tmp_path / "other")).decrypt(kept, "FD1")


def test_the_key_comes_from_the_environment_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flatdrop.yaml").write_text("drop_zone: ./drop\n")
    monkeypatch.setenv("FLATDROP_SECRET_KEY", STANDARD)
    kept = Vault.of(load(tmp_path)).encrypt("hunter2", "FD1")
    assert Vault(STANDARD).decrypt(kept, "FD1") == "hunter2"


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (None, "the environment variable FLATDROP_SECRET_KEY is not set (make one with `openssl rand -base64 32`"),
        ("file:none.key", "none.key cannot be read: No such file or directory (make one with `openssl"),
        ("file:blank.key", "is empty (make one with"),
        ("file:short.key", f"{NONE} (make one with"),
        (STANDARD, "must be a reference to a secret, never the secret itself"),
    ],
)
def test_a_key_that_is_not_there_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str | None, said: str
) -> None:
    monkeypatch.delenv("FLATDROP_SECRET_KEY", raising=False)
    (tmp_path / "blank.key").write_text("\n")
    (tmp_path / "short.key").write_text("hunter2\n")
    api = f"api: {{secret_key: '{reference}'}}\n" if reference else ""
    (tmp_path / "flatdrop.yaml").write_text(f"drop_zone: ./drop\n{api}")
    with pytest.raises(ConfigError) as refused:
        Vault.of(load(tmp_path))
    assert str(refused.value).startswith("api.secret_key: ")
    assert said in str(refused.value)
    assert STANDARD not in str(refused.value)
    assert "hunter2" not in str(refused.value)
