"""The benchmark's file, 12 columns a row, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

HEADER = "customer_id,email,first_name,last_name,phone,postcode,city,birth_date,amount,consent,tags,source"

MAPPING = {
    "id": "customer_id",
    "email": "email",
    "name": "concat_ws(' ', first_name, last_name)",
    "postcode": "postcode",
    "city": "city",
    "born": "birth_date",
    "amount": "amount",
    "tags": "tags",
    "source": "source",
}

GROUP = """
group_key: bench
attributes:
  customer_id: {type: string}
  email:       {type: email, required: true, unique: true}
  first_name:  {type: string, max_length: 200}
  last_name:   {type: string, max_length: 200}
  postcode:    {type: string, matches: '^[0-9]{5}$'}
  city:        {type: string}
  birth_date:  {type: date}
  amount:      {type: number, min: 0}
  consent:     {type: boolean}
  tags:        {type: list}
  source:      {type: string, one_of: [web, store, app]}
integrations:
  sink:
    type: webhook
    credentials: {secret: file:secret}
    settings: {url: URL, requests_per_second: 100000, in_flight: 8}
    mapping:
"""

_FIRST = ("Åsa", "Erik", "Maja", "Nils", "Linnéa", "Omar", "Zoë", "Björn", "Aino", "José")
_LAST = ("Lind", "Öberg", "Nyström", "Ek", "Haddad", "Virtanen", "Svensson", "Sjö", "García", "Holm")
_CITIES = ("11122,Stockholm", "41101,Göteborg", "21119,Malmö", "90325,Umeå", "00100,Helsinki")
_SOURCES = ("web", "store", "app")


def make(to: Path, rows: int) -> None:
    """Write a CSV file of so many rows, the same every time; about one cell in 20 is empty."""
    with to.open("w", encoding="utf-8") as file:
        file.write(f"{HEADER}\n")
        for n in range(rows):
            file.write(
                f"{n:08},Customer.{n}@Example.com,{_FIRST[n % 10]},{_LAST[n // 7 % 10]},"
                f"{'' if n % 3 == 0 else f'070{n % 10_000_000:07}'},{_CITIES[n % 5]},"
                f"{1940 + n % 65}-{n % 12 + 1:02}-{n % 28 + 1:02},{n % 1_000_000 / 100:.2f},"
                f"{('true', 'false', '')[n % 3]},{('VIP|NEWS', 'SALE', '')[n % 3]},{_SOURCES[n % 3]}\n"
            )


def group(url: str) -> str:
    """Return the group's file."""
    lines = "".join(f'      {name}: "{sql}"\n' for name, sql in MAPPING.items())
    return GROUP.replace("URL", url) + lines
