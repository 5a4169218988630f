"""Preparing: what a destination is asked before the first record leaves, so that a night does not begin in vain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches

from integrations.errors import Unauthorized
from integrations.exchange import JSON, Connection
from integrations.steps import Steps, get

Names = Mapping[str, str | int]
"""What a destination calls fields that a mapping knows by other names: ids, mostly."""

Prepare = Callable[[Connection, Sequence[str]], Steps[Names]]
"""Asks harmlessly whether credentials, settings and mapped fields are right, and returns the names to send under."""


ANY = "*"
"""The name among those that a stand-in knows that stands for whatever name is asked for."""


def asking(path: str, proves: str) -> Prepare:
    """Return what asks for something only to see that it is there."""

    def prepare(_connection: Connection, _fields: Sequence[str]) -> Steps[Names]:
        yield get(path, proves)
        return {}

    return prepare


def knowing(
    path: str,
    proves: str,
    family: str,
    what: str,
    read: Callable[[JSON], Collection[str]],
    *,
    more: Callable[[JSON], str | None] = lambda _said: None,
) -> Prepare:
    """Return what asks for the members of a family of fields ("merge_fields.*"), and refuses one that is not there.

    Args:
        path: where the destination lists them.
        proves: what an answer proves.
        family: the fields that are members.
        what: what one of them is, in a word or two.
        read: from the answer's document to their names.
        more: from the answer's document to where it goes on, if it does.
    """

    def prepare(_connection: Connection, fields: Sequence[str]) -> Steps[Names]:
        known: set[str] = set()
        page: str | None = path
        while page:
            said = (yield get(page, proves)).json()
            known.update(read(said))
            page = more(said)
        expect_known(members(fields, family), known, what)
        return {}

    return prepare


def renaming(
    path: str,
    proves: str,
    family: str,
    what: str,
    read: Callable[[JSON], Names],
    *,
    more: Callable[[JSON, int], str | None] = lambda _said, _pages: None,
) -> Prepare:
    """Return what asks for the ids of a family of fields, under which they are sent instead of their names.

    Args:
        path: where the destination lists them.
        proves: what an answer proves.
        family: the fields that are members.
        what: what one of them is, in a word or two.
        read: from the answer's document to their ids by their names.
        more: from a page's document, and how many pages that makes, to where it goes on, if it does.
    """

    def prepare(_connection: Connection, fields: Sequence[str]) -> Steps[Names]:
        ids: dict[str, str | int] = {}
        here, pages, wanted = path, 0, members(fields, family)
        while here:
            said = (yield get(here, proves)).json()
            ids.update(read(said))
            pages += 1
            here = more(said, pages) or ""
        expect_known(wanted, ids, what)
        return {family.removesuffix("*") + name: _id(ids, name, number) for number, name in enumerate(wanted)}

    return prepare


def members(fields: Sequence[str], family: str) -> list[str]:
    """Return what the mapped fields of a family ("merge_fields.*") are called within it, up to a further dot."""
    prefix = family.removesuffix("*")
    return [name.removeprefix(prefix).partition(".")[0] for name in fields if name.startswith(prefix)]


def expect_known(wanted: Sequence[str], known: Collection[str], what: str) -> None:
    """Refuse a mapping to names that the destination does not have, for many destinations drop them silently.

    The sandbox knows ANY name, for it cannot know those of an account.

    Raises:
        Unauthorized: `fields.unknown`, with the nearest name that there is.
    """
    for name in wanted:
        if name not in known and ANY not in known:
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise Unauthorized("fields.unknown", f"There is no {what} {name} at the destination{hint}")


def _id(ids: Names, name: str, number: int) -> str | int:
    if name in ids:
        return ids[name]
    first = ids[ANY]
    return first + number if isinstance(first, int) else name
