"""Columns of numbers from a CSV file or from pasted rows.

Rows with a missing value are left out and counted; everything else that is no number is refused,
with its line and its column. Lines and columns are counted from 1 in what is said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flowviz.targets.delimited_text import Rows, decode, is_missing, number, split
from flowviz.targets.table_header import name_columns

MAX_BYTES = 64 * 1024 * 1024
LARGEST = 1e15
"""Of a coordinate."""

_UNNAMED = ("", "unnamed: 0")
"""What pandas and R call the column that numbers the rows."""


class Table(NamedTuple):
    """What was read.

    Attributes:
        points: float64 ``[n, k]``: the rows that are complete, in the k columns.
        labels: what the columns are called, all different.
        remarks: sentences on what else was in the table; "" if nothing.
        numeric: what all columns that hold numbers are called.
    """

    points: np.ndarray
    labels: tuple[str, ...]
    remarks: str
    numeric: tuple[str, ...]


def read_table(
    source: str | bytes | Path,
    columns: Sequence[str | int] | None = None,
    *,
    count: int | None = None,
) -> Table:
    """The columns of numbers of a table: commas, semicolons, tabs or spaces between the values.

    A first row without numbers is the header. Decimals have a point or a comma, the same in all
    of the table. Blank lines are skipped, as are lines above the table that begin with #, and a
    line such as ``sep=;``. A first column of different whole numbers to which the header gives no
    name, as pandas and R number the rows, is taken only where it is asked for. A name that comes
    again has its column's number behind it: ``"x (column 2)"``.

    >>> x = torch.from_numpy(read_table("mine.csv").points)  # doctest: +SKIP

    Args:
        source: a ``Path``; or the text itself, as bytes or as a string with a line break in it; a
            string of one line is a path. (What a visitor of a page sends is passed as bytes, so
            that it can never name a file.)
        columns: names of the header or numbers counted from 0; all columns that hold numbers if
            left out.
        count: how many columns are wanted: the first ones that hold numbers, if none are named.

    Raises:
        ValueError: a value is not a number (line and column are named), a row has more values
            than there are columns, no row is complete, there are no or too few columns of numbers,
            no such column, or the text is longer than 64 MiB.
        OSError: the file cannot be read.
    """
    text = split(_text(source))
    names, labels, lines, remark = name_columns(text)
    decimal = text.decimal
    numeric = [i for i in range(len(labels)) if _mostly_numbers(lines, i, decimal)]
    remarks = [remark] if remark else []
    if columns is None:
        taken = numeric
        if 0 in numeric and _numbers_rows(names, lines, decimal):
            taken = [i for i in numeric if i != 0]
            remarks.append("The first column numbers the rows and is not taken.")
        which = _first(taken, labels, count, numbered=taken != numeric)
    else:
        which = _chosen(columns, names, labels, count)
    points = [
        [_value(line, cell, labels[i], decimal) for i, cell in zip(which, cells, strict=True)]
        for line, cells in ((line, [_cell(row, i) for i in which]) for line, row in lines)
        if not any(map(is_missing, cells))
    ]
    named = tuple(labels[i] for i in which)
    if not points:
        *others, last = map(repr, named)
        both = "both " if len(others) == 1 else ""
        raise ValueError(f"no row has a value in {both}{' and '.join([*others, last])}")
    if columns is None and len(taken) > len(which):
        used = {1: "first is", 2: "first two are"}.get(len(which), f"first {len(which)} are")
        remarks.append(f"{len(taken)} columns hold numbers: the {used} taken.")
    if text.doubtful:
        remarks.append(f"The comma in {text.doubtful} is read as a decimal mark.")
    if len(points) < len(lines):
        out = len(lines) - len(points)
        have, were = ("has", "was") if out == 1 else ("have", "were")
        remarks.append(
            f"{out:,} of {len(lines):,} rows {have} a missing value and {were} left out."
        )
    every = tuple(labels[i] for i in numeric)
    return Table(np.array(points), named, " ".join(remarks), every)


# ---------------------------------------------------------------------------- rows and cells


def _text(source: str | bytes | Path) -> str:
    if isinstance(source, str) and "\n" not in source and "\r" not in source:
        if not source.strip():
            raise ValueError("the table is empty")
        source = Path(source)
    if isinstance(source, Path):
        if source.stat().st_size > MAX_BYTES:
            raise ValueError(f"{source.name} is larger than {MAX_BYTES >> 20} MiB")
        source = source.read_bytes()
    if not isinstance(source, str | bytes):
        raise TypeError(f"a CSV comes as a path, as text or as bytes, not as {type(source)}")
    if len(source) > MAX_BYTES:
        raise ValueError(f"the table is larger than {MAX_BYTES >> 20} MiB")
    text = decode(source) if isinstance(source, bytes) else source
    if "\0" in text:
        raise ValueError("this is not a text file: it holds zero bytes")
    return text.removeprefix("\ufeff")


def _cell(row: list[str], i: int) -> str:
    return row[i] if i < len(row) else ""


def _value(line: int, cell: str, label: str, decimal: str) -> float:
    value = number(cell, decimal)
    if math.isnan(value):
        raise ValueError(f"line {line}, column {label!r}: {cell[:40]!r} is not a number")
    if abs(value) > LARGEST:
        raise ValueError(f"line {line}, column {label!r}: numbers are limited to ±{LARGEST:g}")
    return value


# ---------------------------------------------------------------------------- columns


def _numbers_rows(names: list[str] | None, rows: Rows, decimal: str) -> bool:
    """Whether the first column has no name in the header and a whole number of its own a row."""
    if names is None or names[0].casefold() not in _UNNAMED:
        return False
    cells = (_cell(row, 0) for _, row in rows)
    values = [number(cell, decimal) for cell in cells if not is_missing(cell)]
    return all(v.is_integer() for v in values) and len(set(values)) == len(values)


def _mostly_numbers(rows: Rows, i: int, decimal: str) -> bool:
    """Whether at least half of the column's values are numbers: the rest are then mistakes."""
    numbers = sum(not math.isnan(number(_cell(row, i), decimal)) for _, row in rows)
    return 2 * numbers >= len(rows)


def _first(numeric: list[int], labels: list[str], count: int | None, numbered: bool) -> list[int]:
    least = count or 1
    if len(numeric) < least:
        wanted = {1: "a column", 2: "two columns"}.get(least, f"{least} columns")
        found = " and ".join(repr(labels[i]) for i in numeric)
        found = f"only {found} {'does' if len(numeric) == 1 else 'do'}" if numeric else "none does"
        advice = (
            "the first, which has no name, numbers the rows: with a name it is taken"
            if numbered
            else "values are separated by commas, semicolons, tabs or spaces"
        )
        among = ", ".join(map(repr, labels))
        raise ValueError(f"{wanted} must hold numbers, and {found} among {among}; {advice}")
    return numeric[:count]


def _chosen(
    columns: Sequence[str | int],
    names: list[str] | None,
    labels: list[str],
    count: int | None,
) -> list[int]:
    wanted = {None: "names or numbers of columns", 2: "two columns"}.get(count, f"{count} columns")
    if isinstance(columns, str | bytes) or not 0 < len(columns) == (count or len(columns)):
        raise ValueError(f"{wanted} are needed, not {columns!r}")
    return [_position(column, names, labels) for column in columns]


def _position(column: str | int, names: list[str] | None, labels: list[str]) -> int:
    if isinstance(column, int) and not isinstance(column, bool) and 0 <= column < len(labels):
        return column
    if isinstance(column, str) and column in labels:
        return labels.index(column)
    known = ", ".join(map(repr, labels)) if names else f"the numbers 0 to {len(labels) - 1}"
    raise ValueError(f"there is no column {column!r}; there are: {known}")
