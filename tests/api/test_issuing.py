"""What is issued works, is kept encrypted, and never mixes two secret keys."""

from __future__ import annotations

import base64
import re
import secrets
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from api.issuing import issue
from api.keyring import Keyring
from api.vault import Vault
from batch.ledger import Ledger
from config.errors import ConfigError

pytest_plugins = ("support.ledgers",)


def a_vault() -> Vault:
    return Vault(base64.b64encode(secrets.token_bytes(32)).decode())


def test_what_is_issued(ledger: Ledger) -> None:
    vault = a_vault()
    given = issue(ledger, vault, ["abc", "abc2", "abc"], "the shop")
    assert re.fullmatch(r"FD[A-Z0-9]{18}", given.id)
    assert re.fullmatch(r"[A-Za-z0-9]{40}", given.secret)
    assert given.groups == {"abc", "abc2"}
    (key,) = ledger.keys.every()
    assert (key.id, key.name, key.groups, key.revoked_at) == (given.id, "the shop", ("abc", "abc2"), None)
    assert vault.decrypt(key.secret, given.id) == given.secret


def test_no_two_are_alike(ledger: Ledger) -> None:
    vault = a_vault()
    given = [issue(ledger, vault, ["abc"]) for _ in range(20)]
    assert len({one.id for one in given}) == len({one.secret for one in given}) == 20
    drawn = "".join(one.secret for one in given)
    assert len(set(drawn)) == 62  # each of 62 characters is missing with a chance of one in 440,000


def test_the_secret_is_nowhere_in_what_is_kept(tmp_path: Path) -> None:
    with capture_logs() as lines, Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        vault = a_vault()
        given = issue(ledger, vault, ["abc"], "the shop")
        ring = Keyring(ledger.keys, vault)
        ring.refresh()
        shown = repr([given, ring, vars(ring)["_credentials"], ledger.keys.every(), lines])
        files = b"".join(file.read_bytes() for file in tmp_path.iterdir())  # the log of writes too
    files += b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert given.id.encode() in files
    assert given.id in shown
    for written in (given.secret, base64.b64encode(given.secret.encode()).decode().rstrip("="), given.secret[:20]):
        assert written.encode() not in files
        assert written not in shown


def test_another_secret_key_issues_nothing(ledger: Ledger) -> None:
    first = a_vault()
    kept = issue(ledger, first, ["abc"])
    with pytest.raises(ConfigError, match="is not the key that the API keys' secrets were encrypted with"):
        issue(ledger, a_vault(), ["abc"])
    assert [key.id for key in ledger.keys.every()] == [kept.id]
    assert issue(ledger, first, ["abc"]).groups == {"abc"}


def test_a_lost_secret_key_is_replaced_once_its_keys_are_revoked(ledger: Ledger) -> None:
    lost, found = a_vault(), a_vault()
    old = [issue(ledger, lost, ["abc"]) for _ in range(2)]
    ledger.keys.revoke(old[0].id)
    with pytest.raises(ConfigError, match=f"does not open that of {old[1].id}"):
        issue(ledger, found, ["abc"])
    ledger.keys.revoke(old[1].id)
    new = issue(ledger, found, ["abc"])
    ring = Keyring(ledger.keys, found)
    ring.refresh()
    assert [ring.find(one.id) for one in (*old, new)] == [None, None, new]
