"""Commands for the keys that callers of the API sign with: `keys create`, `keys list` and `keys revoke`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs import screen
from jobs.commands.drops import key_of
from jobs.options import AsJson, ConfigPath, chosen

if TYPE_CHECKING:
    from datetime import datetime

    from batch.keys import Key
    from batch.ledger import Ledger

keys_app = typer.Typer(help="Who may call the API, and for which groups?", no_args_is_help=True)

Groups = Annotated[
    list[str],
    typer.Option("--group", metavar="KEY", help="A group that the key may use; repeat it for several."),
]
KeyName = Annotated[str | None, typer.Option("--name", metavar="NAME", help="What to know the key by in the list.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's ACCESS_KEY_ID.")]


@keys_app.command()
def create(
    ctx: typer.Context, group: Groups, name: KeyName = None, json: AsJson = False, config: ConfigPath = None
) -> None:
    """Make a key that may use one or more groups, and print its secret, which is not shown again."""
    from api.issuing import issue
    from api.vault import Vault
    from batch.ledger import Ledger
    from config.load import load, load_groups

    if name is not None and not name.isprintable():
        raise typer.BadParameter("holds a character that cannot be printed", param_hint="--name")
    deployment = load(chosen(ctx, config))
    known = load_groups(deployment)
    groups = [key_of(known, key) for key in group]
    vault = Vault.of(deployment)
    with Ledger.open(deployment.ledger) as ledger:
        credential = issue(ledger, vault, groups, name)
        key = _key(ledger, credential.id)
    if json:
        screen.as_json(
            {
                "access_key_id": credential.id,
                "secret_access_key": credential.secret,
                "name": key.name,
                "groups": list(key.groups),
                "created_at": key.created_at.isoformat(),
            }
        )
    else:
        screen.say(f"ACCESS_KEY_ID={credential.id}")
        screen.say(f"SECRET_ACCESS_KEY={credential.secret}")
        screen.warn("The secret is not shown again: put it where the caller keeps such things.")


@keys_app.command("list")
def show_all(ctx: typer.Context, json: AsJson = False, config: ConfigPath = None) -> None:
    """List the keys, revoked ones too, oldest first; never a secret."""
    with _ledger(ctx, config) as ledger:
        every = ledger.keys.every()
    if json:
        screen.as_json([_document(key) for key in every])
    elif not every:
        screen.say("There is no key yet; `flatdrop keys create --group KEY` makes one.")
    else:
        heads = ["id", "name", "groups", "created", "last used", "state"]
        screen.table(heads, (_line(key) for key in every))


@keys_app.command()
def revoke(ctx: typer.Context, key_id: KeyId, json: AsJson = False, config: ConfigPath = None) -> None:
    """Make a key invalid, for good."""
    with _ledger(ctx, config) as ledger:
        former = _key(ledger, key_id)
        ledger.keys.revoke(key_id)
        key = _key(ledger, key_id)
    if json:
        screen.as_json(_document(key))
    elif former.revoked_at is not None:
        screen.say(f"{key_id} was revoked before, {_shown(former.revoked_at)}.")
    else:
        screen.say(f"{key_id} is revoked.")


@contextmanager
def _ledger(ctx: typer.Context, config: Path | None) -> Iterator[Ledger]:
    """Open the ledger alone: a key must be revocable while a group's file is wrong, or the secret key lost."""
    from batch.ledger import Ledger
    from config.load import load

    with Ledger.open(load(chosen(ctx, config)).ledger) as ledger:
        yield ledger


def _key(ledger: Ledger, key_id: str) -> Key:
    from mappers.nearest import nearest

    every = {key.id: key for key in ledger.keys.every()}
    if key_id not in every:
        hint = nearest(key_id, every) or "`flatdrop keys list` lists them"
        raise typer.BadParameter(f"there is no key {key_id} ({hint})")
    return every[key_id]


def _document(key: Key) -> dict[str, Any]:
    return {
        "access_key_id": key.id,
        "name": key.name,
        "groups": list(key.groups),
        "state": _state(key),
        "created_at": key.created_at.isoformat(),
        "last_used_at": key.last_used_at and key.last_used_at.isoformat(),
        "revoked_at": key.revoked_at and key.revoked_at.isoformat(),
    }


def _line(key: Key) -> list[str | None]:
    used = key.last_used_at and _shown(key.last_used_at)
    return [key.id, key.name, ", ".join(key.groups), _shown(key.created_at), used or "never", _state(key)]


def _state(key: Key) -> str:
    return "valid" if key.revoked_at is None else "revoked"


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
