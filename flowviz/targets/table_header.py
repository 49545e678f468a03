"""What a table's columns are called, and its rows held against that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flowviz.targets.delimited_text import (
    DelimitedText,
    Rows,
    has_numbers,
    is_missing,
    usual_width,
)


class Columns(NamedTuple):
    """A table's columns.

    Attributes:
        names: as the header gives them, "" for none; no list where there is no header to go by.
        labels: what each column is called, all different.
        rows: those under the header; none is wider than there are columns.
        remark: a sentence on a header that was not gone by; "" if there is nothing to say.
    """

    names: list[str] | None
    labels: list[str]
    rows: Rows
    remark: str


def name_columns(text: DelimitedText) -> Columns:
    """A first row without numbers is the header.

    As R writes tables, a header that is one name shorter than the rows has none for their first
    cells, which are all different. A header that fits the rows in no way is not gone by: the
    columns are numbered. The cell that a short row lacks is its last; where only spaces divide the
    cells it may be any of them, and the row holds nothing.

    Raises:
        ValueError: there are no rows, or one has more values than there are columns (its line is
            named).
    """
    names, rows = _take_header(text.rows)
    if not rows:
        raise ValueError("the table has a header, but no rows")
    # Delimiters at the end of every line make no columns.
    end = max(len(names or ()), max(_filled(row) for _, row in rows))
    rows = [(line, row[:end]) for line, row in rows]
    usual = usual_width([row for _, row in rows])
    remark = ""
    if names:
        wider = 2 * sum(_filled(row) > len(names) for _, row in rows) > len(rows)
        if wider and usual == len(names) + 1 and _all_different(row[0] for _, row in rows):
            names = ["", *names]
        elif wider or all(len(row) < _filled(names) for _, row in rows):
            remark = (
                f"The header has {_counted(len(names), 'name')} and the rows have "
                f"{_counted(usual, 'value')}: the columns are numbered."
            )
            names = None
    width = len(names) if names else usual
    for line, row in rows:
        if _filled(row) > width:
            values, columns = _counted(_filled(row), "value"), _counted(width, "column")
            raise ValueError(f"line {line} has {values}, and the table {columns}")
    if text.delimiter == " ":
        rows = [(line, row if len(row) == width else []) for line, row in rows]
    return Columns(names, _labels(names or [""] * width), rows, remark)


def _take_header(rows: Rows) -> tuple[list[str] | None, Rows]:
    first = rows[0][1]
    if has_numbers(first) or all(map(is_missing, first)):
        return None, rows
    return first, rows[1:]


def _all_different(cells: Iterable[str]) -> bool:
    seen = list(cells)
    return len(set(seen)) == len(seen)


def _filled(row: Sequence[str]) -> int:
    """How many cells there are without the empty ones at the end."""
    return next((i for i in range(len(row), 0, -1) if row[i - 1]), 0)


def _labels(names: Sequence[str]) -> list[str]:
    """The names; with its number, a column that has none or that of another before it."""
    labels: dict[str, None] = {}
    for i, name in enumerate(names, 1):
        label = name or f"column {i}"
        while label in labels:
            label += f" (column {i})"
        labels[label] = None
    return list(labels)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
