"""Expressions: what compiles, what is refused and why, and that each record is mapped by itself alone."""

from __future__ import annotations

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.records import ATTRIBUTES, typed

from mappers.attribute import Attribute
from mappers.expression import FUNCTIONS, ROW, MappingError, compile_expression

CALLS = """abs(sum) array_contains(tags,'a') array_get(tags,1) array_length(tags) array_reverse(tags)
array_to_string(tags,',') array_unique(tags) ceil(sum) coalesce(name,email) concat(name,email)
concat_ws(' ',name,email) current_date date_part('year',born) extract(year,from,born) floor(sum) greatest(count,sum)
if(yes,count,sum) ifnull(count,1) initcap(name) least(count,sum) left(name,2) length(name) lower(name) ltrim(name)
mod(count,2) normalize(name) nullif(name,'') octet_length(name) pow(count,2) regexp_like(name,'a')
regexp_replace(name,'a','b') replace(name,'a','b') reverse(name) right(name,2) round(sum,1) rpad(name,5,'x')
rtrim(name) sign(sum) split_part(name,'a',1) starts_with(name,'a') ends_with(name,'a') strftime(born,'%Y')
string_to_array(name,',') strpos(name,'a') substr(name,1,2) substring(name,1,2) trim(name) try_cast(name,as,int)
upper(name)""".replace("' '", "'_'").split()


def compiled(sql: str, *, closed: bool = False) -> str:
    return compile_expression(sql, ATTRIBUTES, closed=closed).kind


@pytest.mark.parametrize("call", CALLS)
def test_every_function_of_the_docs_compiles_and_keeps_to_its_row(call: str) -> None:
    sql = call.replace(",from,", " FROM ").replace(",as,", " AS ")
    expression = compile_expression(sql, ATTRIBUTES, closed=True)
    records = [
        {"name": "ab,c", "count": 3, "sum": 1.25, "yes": True, "tags": ["b", "a"]},
        {},
        {"name": "åä", "count": 7},
    ]
    whole = typed(*records).select(ROW, value=expression.expr)["value"]
    alone = [typed(record).select(ROW, value=expression.expr)["value"].item() for record in records]
    assert [None if one is None else str(one) for one in whole] == [None if one is None else str(one) for one in alone]


def test_the_table_above_is_the_list_of_the_docs() -> None:
    assert [call.partition("(")[0] for call in CALLS] == FUNCTIONS


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("name", "text"),
        ("other", "text"),
        ('"first name"', "text"),
        ('"a.b"', "text"),
        ('"a""b"', "text"),
        ("'x'", "text"),
        ("count", "integer"),
        ("count // 2", "integer"),
        ("CAST(count AS TINYINT)", "integer"),
        ("1", "integer"),
        ("sum", "number"),
        ("count / 2", "number"),
        ("CAST(count AS DECIMAL(10,2))", "number"),
        ("1.5", "number"),
        ("yes", "boolean"),
        ("NOT yes AND name LIKE 'a%' OR count BETWEEN 1 AND 2", "boolean"),
        ("count IN (1, 2)", "boolean"),
        ("name IN (email, 'x')", "boolean"),
        ("count IS DISTINCT FROM 1", "boolean"),
        ("born", "date"),
        ("DATE '2020-01-01'", "date"),
        ("born + INTERVAL '1 day'", "date"),
        ("seen", "datetime"),
        ("TIMESTAMP '2020-01-01 00:00:00'", "datetime"),
        ("tags", "list"),
        ("ARRAY['a', 'b']", "list"),
        ("ARRAY[1, 2]", "list"),
        ("tags[1]", "text"),
        ("'a' || count", "text"),
        ("CASE WHEN yes THEN 1 ELSE 'a' END", "text"),
        ("CASE name WHEN 'a' THEN 1 WHEN 'b' THEN 2.5 END", "number"),
        ("NULL", "nothing"),
        ("name AS other_name", "text"),
    ],
)
def test_an_expression_has_a_kind(sql: str, kind: str) -> None:
    assert compiled(sql) == kind


@pytest.mark.parametrize(
    "sql",
    """COUNT(*)|COUNT(*) + count|COUNT(name)|SUM(count)|MIN(count)|count - MAX(count)|AVG(sum)|FIRST(name)|LAST(name)
    SUM(count) OVER ()|ROW_NUMBER() OVER ()|RANK() OVER (ORDER BY count)|SUM(sum) OVER (PARTITION BY name)
    LAG(name) OVER (ORDER BY count)|ARRAY_AGG(name)|STRING_AGG(name, ',')|STDDEV(sum)|MEDIAN(sum)|UNNEST(tags)
    CASE WHEN MAX(count) > 1 THEN name END|upper(FIRST(name))|coalesce(name, MIN(name))|count IN (1, MAX(count))
    QUANTILE_CONT(count, .5)|CAST(SUM(count) AS TEXT)|NOT (SUM(count) > 1)""".replace("\n", "|").split("|"),
)
def test_nothing_looks_beyond_its_row(sql: str) -> None:
    with pytest.raises(MappingError, match="beyond its own row"):
        compiled(sql.strip())


@pytest.mark.parametrize(
    "sql",
    [
        "",
        " ",
        "SELECT 1",
        "(SELECT 1)",
        "name IN (SELECT 1)",
        "name, email",
        "name; name",
        "*",
        '"*"',
        "-- x",
        '"^n.*$"',
        '"^name$"',
        "COLUMNS('n')",
        "name.x",
        "read_csv('x')",
        "random()",
        "CAST(name AS BYTEA)",
        "born - born",
        "INTERVAL '1 day'",
        "upper(count)",
        "name ~ '('",
        "regexp_like(name, '(')",
        "strftime(born, '%Q')",
        "'a",
        "name +",
        "name + 1 +",
        "CAST(name AS NOTHING)",
        "upper()",
        "_row",
        '"_row"',
        '"\0cleared\0name"',
        "\0",
        "SELECT",
        "DROP TABLE x",
    ],
)
def test_what_is_no_expression_over_a_record_is_refused(sql: str) -> None:
    with pytest.raises(MappingError) as error:
        compiled(sql)
    assert error.value.reason
    assert "\n" not in error.value.reason


@pytest.mark.parametrize(
    ("sql", "closed", "hint"),
    [
        ("lowr(name)", False, "did you mean lower?"),
        ("LOWR(name)", False, "did you mean lower?"),
        ("split_prt(name, ' ', 1)", True, "did you mean split_part?"),
        ("emial", False, "did you mean email? If it is an attribute of its own, list it: `emial: {}`"),
        ("upper(emai)", False, "did you mean email? If it is an attribute of its own, list it: `emai: {}`"),
        ("Name", True, "did you mean name?"),
        ("nothing_like_it", True, None),
        ("zzzzz(name)", False, None),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest(sql: str, closed: bool, hint: str | None) -> None:
    with pytest.raises(MappingError) as error:
        compiled(sql, closed=closed)
    assert error.value.hint == hint


@pytest.mark.parametrize("name", ["email2", "mail_address", "e", "nam", "Born_at", "tag"])
def test_names_that_are_only_a_little_alike_are_attributes_of_their_own(name: str) -> None:
    assert compile_expression(name, ATTRIBUTES, closed=False).names == (name,)


def test_a_digit_is_no_slip() -> None:
    attributes = {"address1": Attribute(), "tag1": Attribute()}
    assert compile_expression("address2", attributes, closed=False).names == ("address2",)


def test_names_are_told_once_in_order() -> None:
    sql = "CASE WHEN yes THEN coalesce(email, other) ELSE email END"
    assert set(compile_expression(sql, ATTRIBUTES, closed=False).names) == {"yes", "email", "other"}


@given(st.text(max_size=30) | st.from_regex(r"[a-z]{1,6}\([a-z', 0-9*]{0,20}\)", fullmatch=True))
def test_any_text_compiles_or_is_refused(sql: str) -> None:
    with suppress(MappingError):
        assert compiled(sql)


@pytest.mark.parametrize("sql", ["name email", "distinct name", "upper(name) email", "CAST(name AS TEXT) email"])
def test_a_second_name_beside_a_value_is_refused_for_it_would_never_be_sent(sql: str) -> None:
    with pytest.raises(MappingError, match="without an operator"):
        compiled(sql)


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("date_part('month', born) * 100", 1200),
        ("date_part('year', born) * 10000 + date_part('month', born) * 100 + date_part('day', born)", 19991224),
        ("length(name) - 5", -2),
        ("-length(name)", -3),
        ("mod(length(name) - 4, 3)", -1),
        ("least(length(name) - 5, 0)", -2),
        ("array_length(tags) - 3", -2),
        ("TRY_CAST(name AS INT) * 100000000", 12_300_000_000),
        ("count - 1 + 1", 2**62),
        ("count + count + count - count - count", 2**62),
        ("length(name) - 5 < 0", True),
        ("substr(name, length(name) - 1)", "23"),
        ("name || (length(name) - 5)", "123-2"),
        ("round((length(name) - 5) * 1.5, 1)", -3),
    ],
)
def test_whole_numbers_never_wrap_around(sql: str, value: object) -> None:
    record = typed({"name": "123", "born": date(1999, 12, 24), "count": 2**62, "tags": ["a"]})
    expression = compile_expression(sql, ATTRIBUTES, closed=True)
    assert record.select(value=expression.expr)["value"].item() == value
