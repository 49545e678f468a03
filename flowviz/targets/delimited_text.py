"""Rows of cells from text whose encoding, delimiter and decimal mark nobody has told.

Quoted fields (RFC 4180) are Python's own ``csv`` to read. What stands here is what it leaves open:
``csv.Sniffer`` takes ``0,5;1,25`` apart at the comma, and knows neither decimal commas nor
encodings. pandas, which reads tables well, is larger than all of flowviz and has to be told the
decimal mark, too.
"""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

Rows = list[tuple[int, list[str]]]
"""(line number counted from 1, cells) of each row."""

_DELIMITERS = "\t; ,"
"""The one before is preferred where two fit equally; a space is any run of spaces and tabs."""
_SAMPLE = 1_000
"""Rows from which the delimiter is told."""

_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # begins as UTF-16's does
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_MISSING = {"", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "-", "—", "?"}
_MINUS = dict.fromkeys(map(ord, "−–﹣－"), "-")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+(,\d+)?([eE][-+]?\d+)?")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+")


class DelimitedText(NamedTuple):
    """What was told from the text.

    Attributes:
        rows: those that are not blank, each cell without the spaces around it.
        delimiter: what stands between the values.
        decimal: "." or ",", the same in all of the table.
        doubtful: the first number whose comma may as well divide thousands, if all may; else "".
    """

    rows: Rows
    delimiter: str
    decimal: str
    doubtful: str


def split(text: str) -> DelimitedText:
    """The rows of a table, under its first line or under comments that begin with #.

    The delimiter is the one that gives the most rows the same number of cells, with numbers in
    them, or the one that a line such as ``sep=;`` declares. The last comment is the first row if
    it names as many columns as there are, and no other row does.

    Raises:
        ValueError: there is no row, or a quoted field is not one (its line is named).
    """
    lines = list(io.StringIO(text, newline=None))
    declared, comment = _take_preamble(lines)
    delimiter = declared or max(_DELIMITERS, key=lambda delimiter: _fit(lines, delimiter))
    rows = list(_split(lines, delimiter))
    if not rows:
        raise ValueError("the table is empty")
    names = next(_split([comment], delimiter), (1, []))
    if len(names[1]) == len(rows[0][1]) and has_numbers(rows[0][1]) and not has_numbers(names[1]):
        rows.insert(0, names)
    return DelimitedText(rows, delimiter, *_decimal_mark(rows, delimiter))


def decode(data: bytes) -> str:
    """The text in UTF-8, 16 or 32, or in Windows' Western code page where it is none of them.

    Raises:
        ValueError: the bytes are no text.
    """
    try:
        for mark, encoding in _BYTE_ORDER_MARKS.items():
            if data.startswith(mark):
                return data.decode(encoding)
        if b"\0" in data:
            return data.decode(_unmarked_utf_16(data))
    except UnicodeDecodeError as error:
        raise ValueError("this is not a text file: it is cut off or damaged") from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def is_missing(cell: str) -> bool:
    return cell.translate(_MINUS).casefold() in _MISSING


def number(cell: str, decimal: str) -> float:
    """The cell's value; NaN if it is no finite number. Minus may be the sign or a dash."""
    if not cell.isascii():
        cell = cell.translate(_MINUS)
    if decimal == ",":
        cell = cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else ""
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and "_" not in cell else math.nan


def has_numbers(cells: list[str]) -> bool:
    return any(not math.isnan(number(cell, mark)) for cell in cells for mark in ".,")


def usual_width(rows: list[list[str]]) -> int:
    """How many cells most of the rows have, the larger number if two are as frequent."""
    return max((count, width) for width, count in Counter(map(len, rows)).items())[1]


def _unmarked_utf_16(data: bytes) -> str:
    """Latin letters and digits fill one byte of two."""
    even, odd = data[:1_000:2], data[1:1_000:2]
    for empty, full, encoding in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if 0 not in full and empty.count(0) > 0.8 * len(empty):
            return encoding
    raise ValueError("this is not a text file: it holds zero bytes")


def _take_preamble(lines: list[str]) -> tuple[str, str]:
    """Blanks the lines above the table, for its lines keep their numbers.

    Returns the delimiter that they declare and the last comment, "" for none.
    """
    declared = comment = ""
    for i, line in enumerate(lines):
        if said := re.fullmatch(r'"?sep=([^\w"\n])"?\s*', line, re.IGNORECASE):
            declared = said[1]
        elif line.startswith("#"):
            comment = line.lstrip("#")
        elif line.strip():
            break
        lines[i] = "\n"
    return declared, comment


def _split(lines: list[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank; a row's number is that of its first line."""
    spaced = delimiter == " "
    given = (re.sub(r"[ \t]+", " ", line.strip()) + "\n" for line in lines) if spaced else lines
    reader = csv.reader(given, delimiter=delimiter, skipinitialspace=not spaced, strict=True)
    line = 1
    try:
        for row in reader:
            if len(row) > 1 or any(map(str.strip, row)):
                yield line, [cell.strip() for cell in row]
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"line {line} cannot be read as CSV: {error}") from error


def _fit(lines: list[str], delimiter: str) -> tuple[bool, float, bool, bool]:
    """How well the delimiter explains the lines; the larger, the better.

    Whether it delimits at all, and mostly numbers; the share of cells that are numbers, or missing,
    in rows of one width; whether the header has that width, too; and whether it delimits at all.
    """
    try:
        rows = [row for _, row in islice(_split(lines, delimiter), _SAMPLE)]
    except ValueError:
        return False, 0.0, False, False
    header = rows.pop(0) if rows and not has_numbers(rows[0]) else None
    if not rows:
        return False, 0.0, False, False
    width = usual_width(rows)
    even = [cell for row in rows if len(row) == width for cell in row]
    numbers = max(sum(not math.isnan(number(cell, mark)) for cell in even) for mark in ".,")
    fitting = numbers + sum(map(is_missing, even)) if numbers else 0
    share = fitting / sum(map(len, rows))
    even_header = header is None or len(header) == width
    return width > 1 and share > 0.5, share, even_header, width > 1


def _decimal_mark(rows: Rows, delimiter: str) -> tuple[str, str]:
    """The mark that more of the numbers have, and the first comma that may divide thousands."""
    cells = [cell for _, row in rows for cell in row]
    commas = [cell for cell in cells if "," in cell and not math.isnan(number(cell, ","))]
    grouped = all(map(_THOUSANDS.fullmatch, commas))
    # Quoted among commas it is 1,234 for one thousand; no decimal comma goes with such commas.
    if not commas or (grouped and delimiter == ","):
        return ".", ""
    points = sum("." in cell and not math.isnan(number(cell, ".")) for cell in cells)
    if points >= len(commas):
        return ".", ""
    return ",", commas[0] if grouped else ""
