"""Batches over HTTP: lists, pages and receipts; and a wall between groups, whatever is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.client import Answer, Client
from support.destination import Destination, destination
from support.installation import Installation, made, people, to
from support.served import Served, served

if TYPE_CHECKING:
    from support.commandline import Flatdrop  # pytest itself imports it, to rewrite its asserts

pytest_plugins = ("support.commandline",)

GROUPS = ("abc", "abcd", "xyz")
DROPS = 5


@pytest.fixture(scope="module")
def there() -> Iterator[Destination]:
    with destination() as there:
        yield there


@pytest.fixture(scope="module")
def it(tmp_path_factory: pytest.TempPathFactory, there: Destination) -> Installation:
    """Three groups, each with batches of files, one of which was partly delivered and one of which failed."""
    it = made(tmp_path_factory.mktemp("batches"), hook=to(there.base))
    for group in GROUPS:
        it.group(group, integrations={"hook": to(there.base)}, attributes={"email": {"type": "email"}})
        for number in range(DROPS):
            it.drop(f"{group}/{number}.csv", people(3, number))
        it.drop(f"{group}/partial.csv", b"id,email\n1,a@example.com\n2,nobody\n")
        it.drop(f"{group}/failed.csv", b"id,id\n1,2\n")
    it.run()
    return it


@pytest.fixture(scope="module")
def server(it: Installation) -> Iterator[Served]:
    with served(it, delivers=True) as server:
        yield server


@pytest.fixture(scope="module")
def clients(server: Served) -> dict[str, Client]:
    return {group: server.client(group) for group in GROUPS}


def every(client: Client, limit: int, **query: object) -> Iterator[dict[str, Any]]:
    """All batches, page by page."""
    more: dict[str, object] = {}
    while True:
        page = client.get("/v1/batches", limit=limit, **query, **more)
        assert page.status == 200, page.body
        assert len(page.json["batches"]) <= limit
        assert page.json["batches"] or not more  # only a list of nothing has a page of nothing
        yield from page.json["batches"]
        if page.json["next"] is None:
            return
        assert page.json["batches"][-1]["batch"] == page.json["next"]
        more = {"before": page.json["next"]}


def ids(client: Client, limit: int = 100, **query: object) -> list[str]:
    return [batch["batch"] for batch in every(client, limit, **query)]


# Lists


def test_a_list_is_what_the_ledger_knows_of_the_group_newest_first(clients: dict[str, Client], server: Served) -> None:
    for group, client in clients.items():
        known = server.runtime.ledger.batches(group)
        assert ids(client) == [batch.id for batch in known]
        assert len(known) >= DROPS + 2
        assert {one["group_key"] for one in every(client, 100)} == {group}


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 100])
def test_pages_have_no_gap_and_no_double(clients: dict[str, Client], limit: int) -> None:
    assert ids(clients["abcd"], limit) == ids(clients["abcd"])


@pytest.mark.parametrize(("state", "files"), [("partial", ["partial.csv"]), ("failed", ["failed.csv"]), ("queued", [])])
def test_a_state_can_be_asked_for(clients: dict[str, Client], state: str, files: list[str]) -> None:
    for limit in (1, 100):
        found = list(every(clients["xyz"], limit, state=state))
        assert [batch["file"] for batch in found] == [f"xyz/{file}" for file in files]
        assert {batch["state"] for batch in found} <= {state}


def test_a_page_of_a_state_begins_after_any_batch_of_the_caller(clients: dict[str, Client]) -> None:
    whole = list(every(clients["xyz"], 100))
    delivered = [batch["batch"] for batch in whole if batch["state"] == "delivered"]
    for place, batch in enumerate(whole):
        after = clients["xyz"].get("/v1/batches", before=batch["batch"], state="delivered").json["batches"]
        assert [one["batch"] for one in after] == [
            one for one in delivered if one in {other["batch"] for other in whole[place + 1 :]}
        ]


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=101", "limit=-1", "limit=x", "limit=", "limit=1.0", "limit=%C2%B2", "limit=0005"),
        *("state=open", "state=DELIVERED", "state=", "offset=3", "Limit=3"),
    ],
)
def test_a_query_that_cannot_be_used(clients: dict[str, Client], query: str) -> None:
    said = clients["abc"].send("GET", f"/v1/batches?{query}")
    assert (said.status, said.code) == (400, "request.parameter")


@pytest.mark.parametrize("query", ["limit=1&limit=2", "limit", "limit=1&", "state=a b", "a=%zz"])
def test_a_query_that_is_not_written_as_it_must_be(clients: dict[str, Client], query: str) -> None:
    said = clients["abc"].send("GET", f"/v1/batches?{query}".replace(" ", "+"))
    assert said.status in (400, 403)
    assert said.code in ("request.query", "signature.mismatch")


def test_before_must_be_a_batch(clients: dict[str, Client]) -> None:
    for before in ("nothing", "", "20261123T000000Z-aaaaaaaa"):
        said = clients["abc"].get("/v1/batches", before=before)
        assert (said.status, said.code) == (404, "batch")


# Receipts


def test_a_receipt_is_what_the_command_line_shows(
    clients: dict[str, Client], it: Installation, flatdrop: Flatdrop
) -> None:
    for wanted in ("abc/partial.csv", "abc/failed.csv", "abc/0.csv"):
        (batch,) = [one["batch"] for one in every(clients["abc"], 100) if one["file"] == wanted]
        said = clients["abc"].get(f"/v1/batches/{batch}")
        assert said.status == 200
        assert said.json == flatdrop("show", batch, "--json", "--config", it.home).json
        assert said.json["file"] == wanted


def test_a_line_of_a_list_agrees_with_its_receipt(clients: dict[str, Client]) -> None:
    for line in every(clients["xyz"], 100):
        receipt = clients["xyz"].get(f"/v1/batches/{line['batch']}").json
        both = line.keys() & receipt.keys() - {"rows"}
        assert {name: line[name] for name in both} == {name: receipt[name] for name in both}
        assert {"batch", "group_key", "file", "state", "reason"} <= both
        assert (line["rows"] or 0) == receipt["rows"]["read"]


def test_records_become_batches_like_any_other(clients: dict[str, Client]) -> None:
    told = clients["abcd"].post({"id": "1", "email": "a@example.com"}, "abcd", {"Prefer": "wait=30"}).json
    receipt = clients["abcd"].get(f"/v1/batches/{told['batch']}").json
    assert receipt["state"] == "delivered"
    assert receipt["rows"] == {"read": 1, "valid": 1, "invalid": 0}
    assert ids(clients["abcd"])[0] == told["batch"]


# The wall


def test_nobody_sees_anything_of_another_group(clients: dict[str, Client], server: Served, there: Destination) -> None:
    """Three groups and every operation: the answer is that of a thing that is not there."""
    mine = {group: ids(client) for group, client in clients.items()}
    records = {
        group: client.post({"email": f"{group}@example.com"}, group, {"Prefer": "wait=30"}).record
        for group, client in clients.items()
    }
    sent = len(there.calls)
    for group, client in clients.items():
        nothing = {
            "batch": client.get("/v1/batches/nothing"),
            "record": client.get("/v1/records/nothing-1"),
            "before": client.get("/v1/batches", before="nothing"),
            "list": client.get("/v1/batches", group_key="nothing"),
            "take": client.post({"email": "a@example.com"}, "nothing"),
            "wait": client.post({"email": "a@example.com"}, "nothing", {"Prefer": "wait=9"}),
            "upload": client.send("POST", "/v1/uploads", b'{"group_key":"nothing","file":"a.csv"}'),
        }
        assert {name: said.status for name, said in nothing.items()} == {
            **dict.fromkeys(("batch", "record", "before"), 404),
            **dict.fromkeys(("list", "take", "wait", "upload"), 403),
        }
        for other in set(GROUPS) - {group}:
            same(nothing["batch"], *(client.get(f"/v1/batches/{batch}") for batch in mine[other]))
            same(nothing["before"], *(client.get("/v1/batches", before=batch) for batch in mine[other][:2]))
            same(nothing["list"], client.get("/v1/batches", group_key=other))
            same(nothing["list"], client.get("/v1/batches", group_key=other, state="failed", limit=1))
            same(nothing["record"], client.get(f"/v1/records/{records[other]}"))
            same(nothing["take"], client.post({"email": "a@example.com"}, other))
            same(nothing["wait"], client.post({"email": "a@example.com"}, other, {"Prefer": "wait=9"}))
            body = json.dumps({"group_key": other, "file": "a.csv"}).encode()
            same(nothing["upload"], client.send("POST", "/v1/uploads", body))
            for file in (f"../{other}/a.csv", f"{group}/../../{other}/a.csv"):
                body = json.dumps({"group_key": group, "file": file}).encode()
                assert client.send("POST", "/v1/uploads", body).code == "upload.name"
    assert len(there.calls) == sent
    assert not list((server.runtime.deployment.base / "drop").glob("*/a.csv"))


def same(wanted: Answer, *answers: Answer) -> None:
    assert {(said.status, said.body) for said in answers} == {(wanted.status, wanted.body)}
    names = [name for name in wanted.headers if name != "date"]
    assert all([name for name in said.headers if name != "date"] == names for said in answers)


def test_a_key_of_two_groups_sees_both_and_no_third(server: Served, clients: dict[str, Client]) -> None:
    both = server.client("abc", "xyz")
    assert set(ids(both)) == {*ids(clients["abc"]), *ids(clients["xyz"])}
    assert ids(both, 2) == ids(both)
    assert ids(both, group_key="xyz") == ids(clients["xyz"])
    assert both.get("/v1/batches", group_key="abcd").status == 403
    for group in ("abc", "xyz"):
        (first, *_) = ids(clients[group])
        assert both.get(f"/v1/batches/{first}").body == clients[group].get(f"/v1/batches/{first}").body
        record = both.post({"email": "both@example.com"}, group).record
        assert clients[group].get(f"/v1/records/{record}").status == 200
    assert both.post({"email": "both@example.com"}, "abcd").status == 403


def test_a_key_without_groups_sees_nothing(server: Served, clients: dict[str, Client]) -> None:
    nobody = server.client()
    assert nobody.get("/v1/batches").json == {"batches": [], "next": None}
    assert nobody.get(f"/v1/batches/{ids(clients['abc'])[0]}").status == 404


def test_a_group_that_was_removed_keeps_its_receipts(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop("abc/a.csv", people(1))
    batch = it.one()["batch"]
    with served(it) as server:
        gone = server.client("gone", "abc")
    (tmp_path / "groups" / "abc.yaml").unlink()
    it.groups.clear()
    it.group("xyz", integrations={"hook": to(there.base)})
    with served(it) as server:
        client = Client(server.base, gone.credential)
        assert client.get(f"/v1/batches/{batch}").json["state"] == "delivered"
        assert client.post({"email": "a@example.com"}).status == 403
