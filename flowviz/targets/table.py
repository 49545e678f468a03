"""Columns of numbers from a CSV file or from pasted rows.

Rows with a missing value are left out and counted; everything else that is no number is refused,
with its line and its column. Lines and columns are counted from 1 in what is said.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

MAX_BYTES = 64 * 1024 * 1024
LARGEST = 1e15
"""Of a coordinate."""

Rows = list[tuple[int, list[str]]]
"""(line number, cells) of each row."""

_MISSING = ("", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "-", "?")


class Table(NamedTuple):
    """What was read.

    Attributes:
        points: float64 ``[n, k]``: the rows that are complete, in the k columns.
        labels: what the columns are called.
        remarks: sentences on what else was in the table; "" if nothing.
    """

    points: np.ndarray
    labels: tuple[str, ...]
    remarks: str


def read_table(
    source: str | bytes | Path,
    columns: Sequence[str | int] | None = None,
    *,
    count: int | None = None,
) -> Table:
    """The columns of numbers of a table: commas, semicolons, tabs or spaces between the values.

    A first row without numbers is the header. With semicolons, tabs or spaces a decimal comma is
    understood. Blank lines are skipped.

    >>> x = torch.from_numpy(read_table("mine.csv").points)  # doctest: +SKIP

    Args:
        source: a ``Path``; or the text itself, as bytes or as a string with a line break in it; a
            string of one line is a path. (What a visitor of a page sends is passed as bytes, so
            that it can never name a file.)
        columns: names of the header or numbers counted from 0; all columns that hold numbers if
            left out.
        count: how many columns are wanted: the first ones that hold numbers, if none are named.

    Raises:
        ValueError: a value is not a number (line and column are named), no row is complete, there
            are no or too few columns of numbers, no such column, or the text is longer than
            64 MiB.
        OSError: the file cannot be read.
    """
    lines = _rows(_text(source))
    header = _header(lines)
    if not lines:
        raise ValueError("the table has a header, but no rows")
    labels = _labels(header, max(len(row) for _, row in lines))
    numeric = [i for i in range(len(labels)) if _mostly_numbers(lines, i)]
    if columns is None:
        which = _first(numeric, labels, count)
    else:
        which = _chosen(columns, header, labels, count)
    points = [
        [_number(line, cell, labels[i]) for i, cell in zip(which, cells, strict=True)]
        for line, cells in ((line, [_cell(row, i) for i in which]) for line, row in lines)
        if not any(map(_is_missing, cells))
    ]
    named = tuple(labels[i] for i in which)
    if not points:
        *others, last = map(repr, named)
        both = "both " if len(others) == 1 else ""
        raise ValueError(f"no row has a value in {both}{' and '.join([*others, last])}")
    remarks = []
    if columns is None and len(numeric) > len(which):
        taken = {1: "first is", 2: "first two are"}.get(len(which), f"first {len(which)} are")
        remarks.append(f"{len(numeric)} columns hold numbers: the {taken} taken.")
    if len(points) < len(lines):
        out = len(lines) - len(points)
        have, were = ("has", "was") if out == 1 else ("have", "were")
        remarks.append(
            f"{out:,} of {len(lines):,} rows {have} a missing value and {were} left out."
        )
    return Table(np.array(points), named, " ".join(remarks))


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
    text = _decode(source) if isinstance(source, bytes) else source
    if "\0" in text:
        raise ValueError("this is not a text file: it holds zero bytes")
    return text.removeprefix("\ufeff")


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _rows(text: str) -> Rows:
    """The table's rows; the first line that is not blank tells what stands between the values."""
    start = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max("\t;,", key=start.count)
    if delimiter not in start or _has_decimal_commas(start):
        delimiter = " "
        rows = [(line, row.split()) for line, row in enumerate(text.splitlines(), 1)]
    else:
        rows = _separated(text, delimiter)
    rows = [(line, row) for line, row in rows if len(row) > 1 or any(row)]
    if delimiter != ",":
        rows = [(line, [_decimal_point(cell) for cell in row]) for line, row in rows]
    if not rows:
        raise ValueError("the table is empty")
    return rows


def _has_decimal_commas(line: str) -> bool:
    """Whether these are numbers such as 1,5 with spaces between them, not a list with commas."""
    cells = line.split()
    return len(cells) > 1 and all(re.fullmatch(r"[-+]?\d+(,\d+)?", cell) for cell in cells)


def _separated(text: str, delimiter: str) -> Rows:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} cannot be read as CSV: {error}") from error


def _decimal_point(cell: str) -> str:
    return cell.replace(",", ".") if cell.count(",") == 1 and "." not in cell else cell


def _cell(row: list[str], i: int) -> str:
    return row[i] if i < len(row) else ""


def _is_missing(cell: str) -> bool:
    return cell.casefold() in _MISSING


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell)) and "_" not in cell
    except ValueError:
        return False


def _number(line: int, cell: str, label: str) -> float:
    if not _is_number(cell):
        raise ValueError(f"line {line}, column {label!r}: {cell[:40]!r} is not a number")
    if abs(float(cell)) > LARGEST:
        raise ValueError(f"line {line}, column {label!r}: numbers are limited to ±{LARGEST:g}")
    return float(cell)


# ---------------------------------------------------------------------------- columns


def _header(rows: Rows) -> list[str] | None:
    """Takes the header off the rows, if the first one is a header."""
    first = rows[0][1]
    if any(map(_is_number, first)) or all(map(_is_missing, first)):
        return None
    return rows.pop(0)[1]


def _labels(header: list[str] | None, widest: int) -> list[str]:
    """What each column is called; one without a name by its number."""
    names = header or [""] * widest
    return [name or f"column {i}" for i, name in enumerate(names, 1)]


def _mostly_numbers(rows: Rows, i: int) -> bool:
    """Whether at least half of the column's values are numbers: the rest are then mistakes."""
    return 2 * sum(_is_number(_cell(row, i)) for _, row in rows) >= len(rows)


def _first(numeric: list[int], labels: list[str], count: int | None) -> list[int]:
    least = count or 1
    if len(numeric) < least:
        wanted = {1: "a column", 2: "two columns"}.get(least, f"{least} columns")
        found = " and ".join(repr(labels[i]) for i in numeric)
        found = f"only {found} {'does' if len(numeric) == 1 else 'do'}" if numeric else "none does"
        raise ValueError(
            f"{wanted} must hold numbers, and {found} among {', '.join(map(repr, labels))}; "
            f"values are separated by commas, semicolons, tabs or spaces"
        )
    return numeric[:count]


def _chosen(
    columns: Sequence[str | int],
    header: list[str] | None,
    labels: list[str],
    count: int | None,
) -> list[int]:
    wanted = {None: "names or numbers of columns", 2: "two columns"}.get(count, f"{count} columns")
    if isinstance(columns, str | bytes) or not 0 < len(columns) == (count or len(columns)):
        raise ValueError(f"{wanted} are needed, not {columns!r}")
    return [_position(column, header, labels) for column in columns]


def _position(column: str | int, header: list[str] | None, labels: list[str]) -> int:
    if isinstance(column, int) and not isinstance(column, bool) and 0 <= column < len(labels):
        return column
    if isinstance(column, str) and column in labels:
        return labels.index(column)
    known = ", ".join(map(repr, labels)) if header else f"the numbers 0 to {len(labels) - 1}"
    raise ValueError(f"there is no column {column!r}; there are: {known}")
