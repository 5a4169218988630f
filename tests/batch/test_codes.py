"""Codes: each that the program can emit is in the list that the docs are made from, and none besides."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import batch
import integrations
import mappers
from batch.checking import _MESSAGES
from batch.codes import CODES, DESTINATION, FILE, MAPPING, ROW, VALUE
from mappers import normalise, rules
from mappers.attribute import Attribute, AttributeType

_DOTTED = re.compile(
    r"((?:file|row|mapping|string)(?:\.[a-z_]+)+|(?:auth|address)\.refused|refused\.together"
    r"|fields\.unknown|job\.unfinished|unprocessed)(?:$|: )"
)
_CARRIERS = {"BatchError", "Finding", "invalid", "Problem", "_finding", "_whole", "stop"}
_ERRORS = {"Retryable", "Refused", "Unauthorized", "Ambiguous"}


def literals() -> set[str]:
    """Return every text in the sources that has the form of a code, or stands where one does."""
    found = set()
    for package in (batch, mappers, integrations):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            if path.name == "codes.py" or "sandbox" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Constant)
                    and isinstance(node.value, str)
                    and (code := _DOTTED.match(node.value))
                ):
                    found.add(code[1])
                if isinstance(node, ast.Call):
                    found |= said(node)
    return found


def said(call: ast.Call) -> set[str]:
    """Return the texts without a dot that a call gives where a code is expected."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in _CARRIERS | _ERRORS:
        return set()
    texts = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return {text for text in texts[:1] if re.fullmatch(r"[a-z_]+", text)}  # a code comes before all other texts


def rule_codes() -> set[str]:
    """Return the codes of the rules that attributes can have."""
    every = {"required", "min", "max", "min_length", "max_length", "matches", "one_of"}
    given: dict[str, object] = {
        "required": True, "min": 1, "max": 2, "min_length": 1, "max_length": 2, "matches": "a", "one_of": ("a",)
    }  # fmt: skip
    codes = set()
    for of in get_args(AttributeType):
        codes |= {code for code, _ in normalise.problems("a", Attribute(type=of))}
        for rule in every:
            try:
                attribute = Attribute.model_validate({"type": of, rule: given[rule]})
            except ValueError:
                continue
            codes |= {code for code, _ in rules.of("a", attribute)}
    assert every <= codes
    return codes


_NEVER_COMMITTED = {"stopped"}  # leaves the rows owed
EMITTED = (literals() | rule_codes()) - _NEVER_COMMITTED


def test_every_code_that_can_be_emitted_is_listed() -> None:
    assert EMITTED - set(CODES) == set()


def test_every_listed_code_can_be_emitted() -> None:
    assert set(CODES) - {"rejected.*", "consent.*"} - EMITTED == set()


def test_every_rule_of_the_check_has_its_sentence() -> None:
    assert set(_MESSAGES) == set(VALUE) | {"row.column.unknown"}
    assert set(VALUE) == rule_codes() | {"unique", "string.list"}
    for code, say in _MESSAGES.items():
        assert say("epost", Attribute()).startswith("epost "), code


def test_codes_are_told_apart_and_explained() -> None:
    assert len(CODES) == sum(map(len, (FILE, ROW, VALUE, MAPPING, DESTINATION)))
    for code, (meaning, remedy) in CODES.items():
        assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)*(\.\*)?", code)
        assert meaning.endswith("."), code
        assert remedy.endswith((".", ")")), code
