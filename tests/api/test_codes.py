"""The table of error codes against the sources, both ways, and against what a record can be refused for."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.codes import CODES, RECORD
from api.envelope import opened
from api.errors import ApiError
from batch.vetting import Vetter
from config.group import Group

API = Path(__file__).parents[2] / "api"
ERRORS = ("ApiError", "Refused")
HOOK = {"type": "webhook", "mapping": {"id": "id"}}
GROUP = Group.model_validate({"group_key": "abc", "integrations": {"hook": HOOK}})


def calls() -> Iterator[ast.Call]:
    for file in sorted(API.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
                yield node


def raised() -> set[tuple[str, int | None]]:
    """Every code that stands in the sources where an error is made, with its status where that stands there too."""
    found: set[tuple[str, int | None]] = set()
    for call in calls():
        values = [one.value if isinstance(one, ast.Constant) else None for one in call.args[:2]]
        match values:
            case [int(status), str(code)]:
                found.add((code, status))
            case [str(code), _]:
                found.add((code, None))
    return found


def test_the_codes_are_those_that_the_sources_raise_with_their_statuses() -> None:
    found = raised()
    assert {code for code, _ in found} | RECORD.keys() == CODES.keys()
    assert {(code, status) for code, status in found if status} <= {(code, one.status) for code, one in CODES.items()}


def test_where_a_code_is_not_written_out_it_is_one_of_a_refusal_or_of_a_record() -> None:
    codes = [call.args[1] if ast.unparse(call.func) == "ApiError" else call.args[0] for call in calls()]
    assert {ast.unparse(code) for code in codes if not isinstance(code, ast.Constant)} == {"error.code", "first.code"}


def test_a_refusal_has_the_status_that_is_told() -> None:
    from api.gate import refused
    from api.refused import Refused

    for code in (code for code, status in raised() if status is None):
        assert refused(Refused(code, "")).status == CODES[code].status


def code_of(data: bytes) -> str:
    """The code that a record is refused with."""
    try:
        line = opened(b'{"data":%b,"group_key":"abc"}' % data).line
    except ApiError as error:
        return error.code
    found = Vetter(GROUP).vet([line])
    return found[0][0].code if found else ""


CASES = [
    (b'{"a":"\xff"}', "row.json"),
    (b'{"a":{"b":1}}', "row.nested"),
    (b'{"a":[[1]]}', "row.nested"),
    (b'{"a":[null]}', "row.nested"),
    (b'{"a":1,"a":2}', "row.duplicate_key"),
    (b'{"a":"\\u0000"}', "row.nul"),
    (b'{"a":"\\ud800"}', "row.surrogate"),
    (b'{"\\udc00":1}', "row.surrogate"),
    (json.dumps(dict.fromkeys(map(str, range(2001)), 1)).encode(), "row.attributes"),
    (b'{"a":1}', ""),
]


@pytest.mark.parametrize(("data", "code"), CASES)
def test_what_makes_data_no_record(data: bytes, code: str) -> None:
    assert code_of(data) == code


def test_each_code_of_data_that_is_no_record_comes_through() -> None:
    assert {code for _, code in CASES} == {"", *RECORD}


def test_every_code_says_what_it_means_and_what_to_do() -> None:
    for one in CODES.values():
        assert one.meaning.endswith(".")
        assert one.remedy.endswith(".")
        assert 400 <= one.status < 600
