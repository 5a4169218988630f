"""The rules of attributes, over tidy text and the values meant: a stable code each, and where it holds."""

from __future__ import annotations

from functools import reduce
from operator import and_

import polars as pl

from mappers import normalise
from mappers.attribute import Attribute


def kept(name: str, attribute: Attribute) -> pl.Expr:
    """Return where all rules of an attribute hold, never null: only elsewhere need it be asked which."""
    silent, own = normalise.silent(name, attribute), [holds for _, holds in _own_rules(name, attribute)]
    every = normalise.sound(name, attribute) + own
    return _surely(reduce(and_, every, ~silent) if attribute.required else reduce(and_, every) | silent)


def of(name: str, attribute: Attribute) -> list[normalise.Problem]:
    """Return the codes of an attribute's rules, each with where it holds; never null."""
    silent = normalise.silent(name, attribute)
    told = [(code, _surely(holds | silent)) for code, holds in _rules(name, attribute)]
    return [*told, ("required", ~silent)] if attribute.required else told


def _surely(holds: pl.Expr) -> pl.Expr:
    return holds.eq_missing(other=True)


def _rules(name: str, attribute: Attribute) -> list[normalise.Problem]:
    return normalise.problems(name, attribute) + _own_rules(name, attribute)


def _own_rules(name: str, attribute: Attribute) -> list[normalise.Problem]:
    """Return the rules that the attribute has beside those of its type."""
    return _list_rules(name, attribute) if attribute.type == "list" else _text_rules(name, attribute)


def _text_rules(name: str, attribute: Attribute) -> list[normalise.Problem]:
    text, value = pl.col(name), normalise.meant(name, attribute)
    meaningless = value.is_null()  # said by the type's own code already
    rules: list[normalise.Problem] = []
    if (low := attribute.bound("min")) is not None:
        rules.append(("min", meaningless | (value >= pl.lit(low))))
    if (high := attribute.bound("max")) is not None:
        rules.append(("max", meaningless | (value <= pl.lit(high))))
    rules += _length_rules(text.str.len_chars(), attribute)
    if attribute.matches is not None:
        rules.append(("matches", text.str.contains(attribute.matches)))
    if attribute.one_of is not None:
        rules.append(("one_of", meaningless | value.is_in(attribute.allowed())))
    return rules


def _list_rules(name: str, attribute: Attribute) -> list[normalise.Problem]:
    lists = pl.col(name)
    rules = _length_rules(lists.list.len(), attribute)
    if attribute.matches is not None:
        rules.append(("matches", lists.list.eval(pl.element().str.contains(attribute.matches)).list.all()))
    if attribute.one_of is not None:
        rules.append(("one_of", lists.list.eval(pl.element().is_in(attribute.allowed())).list.all()))
    return rules


def _length_rules(length: pl.Expr, attribute: Attribute) -> list[normalise.Problem]:
    rules = []
    if attribute.min_length is not None:
        rules.append(("min_length", length >= attribute.min_length))
    if attribute.max_length is not None:
        rules.append(("max_length", length <= attribute.max_length))
    return rules
