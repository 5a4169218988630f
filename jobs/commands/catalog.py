"""The command for what can be delivered to: `integrations`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs import screen
from jobs.options import AsJson

if TYPE_CHECKING:
    from integrations.integration import Integration, Setting


def integrations(
    type_: Annotated[
        str | None, typer.Argument(metavar="TYPE", help="One type; the whole catalog if not given.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Show the catalog, or one type's fields, credentials, settings and limits."""
    from integrations.catalog import CATALOG, find

    if type_ is None:
        every = list(CATALOG.values())
        if json:
            screen.as_json([document(one) for one in every])
        else:
            screen.table(["type", "title", "what"], ([one.name, one.title, one.summary] for one in every))
        return
    try:
        one = find(type_)
    except KeyError as unknown:
        raise typer.BadParameter(str(unknown)) from None
    if json:
        screen.as_json(document(one))
    else:
        _show(one)


def document(one: Integration) -> dict[str, Any]:
    """Return an integration as JSON."""
    from integrations.settings import known

    return {
        "type": one.name,
        "title": one.title,
        "docs": one.docs,
        "summary": one.summary,
        "resend": one.resend.value,
        "credentials": [_setting(setting) for setting in one.credentials],
        "settings": [_setting(setting) for setting in known(one).values()],
        "fields": [
            {
                "name": f.name,
                "type": f.type,
                "required": f.required,
                "clearable": f.clear is not None,
                "adds": f.adds,
                "consent": f.consent,
                "help": f.help,
            }
            for f in one.fields
        ],
        "identity": list(one.identity),
        "answers": one.answers.value,
        "yes": one.yes,
        "consent": one.consent,
        "notes": list(one.notes),
        "job": one.job is not None,
        "limits": {
            "records": one.limits.records,
            "bytes": one.limits.bytes,
            "record_bytes": one.limits.item_bytes,
            "requests_per_second": one.limits.per_second,
            "requests_per_minute": one.limits.per_minute,
            "requests_per_hour": one.limits.per_hour,
            "requests_per_day": one.limits.per_day,
            "in_flight": one.limits.in_flight,
        },
    }


def _setting(setting: Setting) -> dict[str, Any]:
    return {
        "name": setting.name,
        "required": setting.required,
        "default": setting.default,
        "help": setting.help,
    }


def _show(one: Integration) -> None:
    shown = document(one)
    screen.say(f"{one.title} ({one.name}): {one.summary}")
    screen.say(f"{one.docs}")
    limits = shown["limits"]
    screen.say(
        f"{limits['records']:,} records and {limits['bytes']:,} bytes a request, {limits['requests_per_second']:g} "
        f"requests a second, {limits['in_flight']} in flight; a repetition is harmless by: {shown['resend']}"
    )
    screen.say(f"A yes: {one.yes}")
    screen.say(f"Consent: {one.consent}")
    for note in one.notes:
        screen.say(f"Note: {note}")
    for title in ("credentials", "settings"):
        lines = [[s["name"], "required" if s["required"] else s["default"], s["help"]] for s in shown[title]]
        screen.say()
        screen.table([title, "default", "what"], lines)
    lines = [
        [f["name"], f["type"], "required" if f["required"] else "", "yes" if f["clearable"] else "no", f["help"]]
        for f in shown["fields"]
    ]
    screen.say()
    screen.table(["field", "type", "", "clearable", "what"], lines)
