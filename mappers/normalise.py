"""From the text of a cell to the value of an attribute's type.

Each type has three steps, all over whole columns: `tidy` (text to text: trimmed, lower-case, E.164), `value` (the
tidy text as that value; null where it means none) and `problems` (what can be wrong with either).
Text is never guessed at: a type is what the group declares, and everything else stays as it came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache

import phonenumbers
import polars as pl

from mappers.attribute import Attribute

_ATOM = r"""[^\s@.()<>\[\]:;,\\"\x00-\x20\x7f]+"""
_LABEL = r"[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?"
_EMAIL = rf"^{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+\p{{L}}[\p{{L}}\p{{N}}-]{{0,61}}[\p{{L}}\p{{N}}]$"
_PLAIN_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
PLAIN_EMAIL = rf"^{_PLAIN_ATOM}(?:\.{_PLAIN_ATOM})*@(?:{_PLAIN_LABEL}\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]$"
_INTEGER = r"^[+-]?[0-9]+$"
_NUMBER = r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_UNTIDY_ITEM = r"^$|^\s|\s$"
PLAIN_NUMBER = r"^-?[0-9]{1,9}(?:\.[0-9]{1,6})?$"  # finite, and with no more digits than are safe
EMAIL_BYTES = 254  # RFC 5321, less the brackets of a path
TRUE = ["true", "1", "yes", "y", "t"]
FALSE = ["false", "0", "no", "n", "f"]
_SAFE_DIGITS = 15  # a decimal of so many digits survives the way through a double (IEEE 754)
_ISO_SECONDS = "%Y-%m-%dT%H:%M:%S%.f%z"
_ISO_MINUTES = "%Y-%m-%dT%H:%M%z"
_UTC = pl.Datetime("us", "UTC")

DTYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "email": pl.String(),
    "phone": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "datetime": _UTC,
    "list": pl.List(pl.String()),
}
"""The polars type of an attribute's values after the check, which is what mappings see."""

_MEANT = "\x00meant\x00"

Problem = tuple[str, pl.Expr]  # a code, and where in the tidy text it does not apply (true: all is well)


def silent(name: str, attribute: Attribute) -> pl.Expr:
    """Return where a tidy cell says nothing: absent, empty, or only white space."""
    cell = pl.col(name)
    if attribute.type == "list":
        return cell.is_null()
    text = cell.str.strip_chars() if attribute.type == "string" else cell  # the others are trimmed
    return (text.str.len_bytes() > 0).ne_missing(other=True)


def tidy(text: pl.Expr, attribute: Attribute) -> pl.Expr:
    """Return the text of a cell in the form that its type is written in; text of no sense stays as it is."""
    if attribute.type == "string":
        return text
    if attribute.type == "email":
        return text.str.strip_chars().str.to_lowercase()
    if attribute.type == "phone":
        return text.str.strip_chars().map_batches(_in_e164(attribute.region), return_dtype=pl.String)
    return text.str.strip_chars()


def problems(name: str, attribute: Attribute) -> list[Problem]:
    """Return what can be wrong with a tidy text of this type."""
    text, of = pl.col(name), attribute.type
    if of == "email":
        return [("email.format", _is_email(text))]
    if of == "phone":
        return [("phone.format", text.str.starts_with("+"))]
    if of == "integer":
        digits = text.str.contains(_INTEGER)
        return [("integer.format", digits), ("integer.range", ~digits | meant(name, attribute).is_not_null())]
    if of == "number":
        number = _is_number(text, meant(name, attribute))
        return [("number.format", number), ("number.precision", ~number | _is_exact_as_double(text))]
    if of in ("boolean", "date", "datetime"):
        return [(f"{of}.format", meant(name, attribute).is_not_null())]
    return []


def sound(name: str, attribute: Attribute) -> list[pl.Expr]:
    """Return what holds where none of the type's problems is; the look at plain numbers costs a third of theirs."""
    if attribute.type == "number":
        return [_or(pl.col(name).str.contains(PLAIN_NUMBER), pl.col(name), _are_exact_numbers)]
    return [holds for _, holds in problems(name, attribute)]


def has_value(attribute: Attribute) -> bool:
    """Say whether a tidy text of this type stands for a value of another kind."""
    return attribute.type in _VALUES


def value(name: str, attribute: Attribute) -> pl.Expr:
    """Return the value that a tidy text means, as a column of its own beside the text; null where it means none."""
    return _VALUES[attribute.type](pl.col(name), attribute).alias(_MEANT + name)


def meant(name: str, attribute: Attribute) -> pl.Expr:
    """Return the column of values that `value` made, so that rules need not convert again, or the text itself."""
    return pl.col(_MEANT + name if has_value(attribute) else name)


def items(name: str, separator: str) -> pl.Expr:
    """Return the trimmed, non-blank items of a list that is written as one text."""
    text, mark = pl.col(name), pl.escape_regex(separator)
    untidy = text.str.contains(rf"^$|^\s|\s$|\s{mark}|{mark}\s|{mark}{mark}|^{mark}|{mark}$")
    return pl.map_batches([text.str.split(separator), untidy], _trimmed, return_dtype=pl.List(pl.String))


def tidy_items(lists: pl.Expr) -> pl.Expr:
    """Return lists of text with every item trimmed and blank items left out; an empty list is null."""
    return lists.map_batches(_tidy_items, return_dtype=pl.List(pl.String))


def _trimmed(both: Sequence[pl.Series]) -> pl.Series:
    lists, untidy = both
    return _tidy_items(lists) if untidy.any() else lists


def _tidy_items(lists: pl.Series) -> pl.Series:
    frame, trimmed = lists.to_frame("lists"), pl.col("lists")
    if frame.select_seq(~trimmed.explode().str.contains(_UNTIDY_ITEM).any() & trimmed.list.len().min().ne(0)).item():
        return lists  # most columns have nothing to trim, and looking is cheaper than trimming
    item = pl.element().str.strip_chars()
    frame = frame.select(trimmed.list.eval(item.filter(item != "")))
    return frame.select(pl.when(trimmed.list.len() > 0).then(trimmed)).to_series()


def _as_integer(text: pl.Expr, _attribute: Attribute) -> pl.Expr:
    return text.cast(pl.Int64, strict=False)


def _as_number(text: pl.Expr, _attribute: Attribute) -> pl.Expr:
    return text.cast(pl.Float64, strict=False)


def _as_boolean(text: pl.Expr, _attribute: Attribute) -> pl.Expr:
    word = text.str.to_lowercase()
    return pl.when(word.is_in(TRUE)).then(True).when(word.is_in(FALSE)).then(False)


def _as_date(text: pl.Expr, attribute: Attribute) -> pl.Expr:
    parsed = text.str.strptime(pl.Date, attribute.format or "%Y-%m-%d", strict=False)
    if attribute.format is not None:
        return pl.when(_of_our_time(parsed, attribute)).then(parsed)
    # chrono takes 2026-1-5 and +2026-01-05 too, and a year 0 that never was
    return pl.when(text.str.contains(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$") & (text >= "0001")).then(parsed)


def _as_datetime(text: pl.Expr, attribute: Attribute) -> pl.Expr:
    if attribute.format is not None:
        parsed = text.str.strptime(_UTC, attribute.format, strict=False)
    else:
        iso = text.str.replace(r"^(\S+) ", "${1}T").str.replace(r"[zZ]$", "+00:00")
        seconds = iso.str.strptime(_UTC, _ISO_SECONDS, strict=False)
        parsed = pl.coalesce(seconds, iso.str.strptime(_UTC, _ISO_MINUTES, strict=False))
    return pl.when(_of_our_time(parsed, attribute)).then(parsed)


def _of_our_time(parsed: pl.Expr, attribute: Attribute) -> pl.Expr:
    """Say which years are meant: %Y reads the 26 of 05/01/26 as the year 26, where ISO 8601 has four digits."""
    return parsed.dt.year().is_between(1 if attribute.format is None else 1000, 9999)


_VALUES: dict[str, Callable[[pl.Expr, Attribute], pl.Expr]] = {
    "integer": _as_integer,
    "number": _as_number,
    "boolean": _as_boolean,
    "date": _as_date,
    "datetime": _as_datetime,
}


def _is_email(text: pl.Expr) -> pl.Expr:
    """Say which texts are e-mail addresses; letters beyond ASCII make a pattern forty times slower, and are rare."""
    address = _or(text.str.contains(PLAIN_EMAIL), text, lambda odd: odd.str.contains(_EMAIL))
    return address & (text.str.len_bytes() <= EMAIL_BYTES)


def _is_number(text: pl.Expr, value: pl.Expr) -> pl.Expr:
    return (text.str.contains(_NUMBER) & value.is_finite()).fill_null(value=False)


def _are_exact_numbers(texts: pl.Series) -> pl.Series:
    text = pl.col("text")
    number = _is_number(text, text.cast(pl.Float64, strict=False))
    return texts.to_frame("text").select(number & _is_exact_as_double(text)).to_series()


def _is_exact_as_double(text: pl.Expr) -> pl.Expr:
    """Say which numbers a double carries digit for digit; only those with many digits cost time."""
    short = (text.str.len_bytes() <= _SAFE_DIGITS) & ~text.str.contains("[eE]")  # an exponent may go too low
    return _or(short, text, lambda doubtful: doubtful.map_elements(_survives, pl.Boolean))


def _or(quick: pl.Expr, text: pl.Expr, careful: Callable[[pl.Series], pl.Series]) -> pl.Expr:
    """Return a quick yes as it is, and ask the careful way only where it is no yes."""

    def look(both: Sequence[pl.Series]) -> pl.Series:
        said, texts = both
        if said.all():
            return said  # most columns are in order, and each step over a column costs a little for any length
        doubtful = (~said).fill_null(value=False).arg_true()
        return said.scatter(doubtful, careful(texts.gather(doubtful)))

    return pl.map_batches([quick, text], look, return_dtype=pl.Boolean)


def _survives(text: str) -> bool:
    try:
        return Decimal(text) == Decimal(repr(float(text)))
    except (ArithmeticError, ValueError):
        return False


def _in_e164(region: str | None) -> Callable[[pl.Series], pl.Series]:
    def convert(texts: pl.Series) -> pl.Series:
        cells = texts.to_list()
        numbers = {text: e164(text, region) for text in set(cells) if text is not None}
        return pl.Series(texts.name, list(map(numbers.get, cells)), pl.String)

    return convert


@lru_cache(maxsize=4096)  # a record that the API takes is checked again a moment later, with its batch
def e164(text: str, region: str | None) -> str:
    """Return a number in E.164, or a text without a leading plus where it is none (so that it cannot pass).

    A number with an extension is none: E.164 has no place for it, and without it the number is another one.
    """
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return f"?{text}" if text else text
    if number.extension or not phonenumbers.is_valid_number(number):
        return f"?{text}"
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
