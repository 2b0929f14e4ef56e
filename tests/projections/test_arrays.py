from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import Connection
from psycopg.sql import SQL

from projections.arrays import array_of

TEXTS = st.lists(st.text(st.sampled_from('ab",{}\\\n尖') | st.characters(codec="utf-8")), min_size=1)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", ["plain", "", "NULL", 'say "so"', "back\\slash", "{a,b}", "尖峰", "tab\tand\nline"]),
        ("text", [None, "", None]),
        ("bigint", [0, -1, 2**63 - 1, None]),
        ("numeric", [10**30, -(10**30)]),
        ("boolean", [True, False, None]),
        ("uuid", [UUID(int=0), UUID(int=2**128 - 1)]),
        ("date", [date(2026, 2, 28)]),
        (
            "timestamptz",
            [
                datetime(2026, 7, 1, 6, 0, 0, 1, tzinfo=UTC),
                datetime(2026, 7, 1, tzinfo=timezone(timedelta(hours=8))),
                None,
            ],
        ),
    ],
)
def test_an_array_reads_back_as_the_column_it_was_made_of(
    projector: Connection[Any], kind: str, values: list[Any]
) -> None:
    query = SQL("SELECT value FROM unnest(%s::{}[]) WITH ORDINALITY AS n (value, at) ORDER BY at").format(SQL(kind))
    assert [row[0] for row in projector.execute(query, (array_of(values),))] == values


@given(TEXTS)
def test_no_text_breaks_out_of_its_place(column: list[str]) -> None:
    assert _read(array_of(column)) == column


def _read(array: str) -> list[str]:
    """Read an array of quoted texts as PostgreSQL's manual says."""
    texts, at = [], 1
    while at < len(array):
        assert array[at] == '"'
        text, at = "", at + 1
        while array[at] != '"':
            at += array[at] == "\\"
            text, at = text + array[at], at + 1
        texts.append(text)
        at += 2
    return texts


@pytest.mark.parametrize("value", [1.5, b"bytes", datetime(2026, 7, 1)])  # noqa: DTZ001 - that is what is refused
def test_what_might_read_back_as_something_else_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=r"column|zone"):
        array_of([value])
