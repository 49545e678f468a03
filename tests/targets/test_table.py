"""Tables of any number of columns."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowviz.targets import read_table

TABLE = "id;height;weight;name;age\n1;1,5;60;a;30\n2;1,7;;b;31\n3;1,9;80;c;32\n"


def test_all_columns_of_numbers_are_read() -> None:
    table = read_table(TABLE)
    assert table.labels == ("id", "height", "weight", "age")
    assert table.points.tolist() == [[1, 1.5, 60, 30], [3, 1.9, 80, 32]]
    assert table.remarks == "1 of 3 rows has a missing value and was left out."
    assert read_table("7\n8\n").points.tolist() == [[7], [8]]


@pytest.mark.parametrize(
    ("options", "labels", "rows", "remarks"),
    [
        ({"columns": ["age"]}, ("age",), 3, ""),
        ({"columns": [4, "height", 0]}, ("age", "height", "id"), 3, ""),
        ({"count": 1}, ("id",), 3, "4 columns hold numbers: the first is taken."),
        ({"count": 2}, ("id", "height"), 3, "4 columns hold numbers: the first two are taken."),
        ({"count": 4}, ("id", "height", "weight", "age"), 2, "1 of 3 rows has a missing value"),
    ],
)
def test_columns_are_chosen(
    options: dict[str, Any], labels: tuple[str, ...], rows: int, remarks: str
) -> None:
    table = read_table(TABLE, **options)
    assert table.labels == labels and table.points.shape == (rows, len(labels))
    assert table.remarks.startswith(remarks) and bool(table.remarks) == bool(remarks)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (TABLE, {"count": 5}, "5 columns must hold numbers, and only 'id' and .* do among"),
        ("a b\nc d\n", {}, "a column must hold numbers, and none does among 'a', 'b'"),
        (TABLE, {"columns": []}, "names or numbers of columns are needed"),
        (TABLE, {"columns": "age"}, "names or numbers of columns are needed"),
        (TABLE, {"columns": ["age"], "count": 2}, "two columns are needed"),
        (TABLE, {"columns": ["agee"]}, "there is no column 'agee'; there are: 'id', 'height'"),
        ("a,b\n1,\n,2\n", {}, "no row has a value in both 'a' and 'b'"),
    ],
)
def test_what_is_refused(text: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_table(text, **options)


SAID = {
    "decimal commas without a header": ("0,5;1,25\n-1,5;2\n", [[0.5, 1.25], [-1.5, 2]]),
    "commas in a header": ("Länge, cm;Breite, cm\n1,5;2\n3;4,5\n", [[1.5, 2], [3, 4.5]]),
    "commas in names, one row": ('"a, b";c\n0,5;1,25\n', [[0.5, 1.25]]),
    "sep=": ("sep=;\na;b\n1,5;2\n3;4\n", [[1.5, 2], [3, 4]]),
    "comments": ("# of 2026; mine, all\n# m, kg\na,b\n1,2\n3,4\n", [[1, 2], [3, 4]]),
    "a Unicode minus": ("a,b\n−1,2\n3,–4\n", [[-1, 2], [3, -4]]),
    "spaces and decimal commas": ("0,5 1,25\n-1,5 2\n", [[0.5, 1.25], [-1.5, 2]]),
    "tabs": ("a\tb\n1,5\t2\n3\t4\n", [[1.5, 2], [3, 4]]),
    "many commas in the first line": ("a, b, c;d\n1;2\n3;4\n", [[1, 2], [3, 4]]),
    "quoted numbers": ('"a","b"\n"1","2"\n"3","4"\n', [[1, 2], [3, 4]]),
}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


@pytest.mark.parametrize("case", SAID)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_delimiter_decimal_mark_and_encoding_are_told(case: str, encoding: str) -> None:
    text, points = SAID[case]
    assert read_table(text.encode(encoding)).points.tolist() == points


def test_the_rows_own_numbers_are_offered_and_not_taken() -> None:
    text = ",x,y\n0,5,6\n1,7,8\n"
    table = read_table(text, count=2)
    assert table.labels == ("x", "y") and table.points.tolist() == [[5, 6], [7, 8]]
    assert table.numeric == ("column 1", "x", "y") and "numbers the rows" in table.remarks
    assert read_table(text, columns=["column 1", "y"]).points.tolist() == [[0, 6], [1, 8]]
    assert read_table(text.replace("\n1,", "\n0,"), count=2).labels == ("column 1", "x")
    # A row without any values does not hide that the others are numbered.
    assert read_table('"" x y\n0 5 6\n1 7\n2 8 9\n', count=2).points.tolist() == [[5, 6], [8, 9]]


def test_they_are_not_taken_either_where_there_is_no_other_column() -> None:
    words = "two columns .* only 'x' does .* the first, which has no name, numbers the rows"
    with pytest.raises(ValueError, match=words):
        read_table(",x\n0,5\n1,7\n", count=2)
    with pytest.raises(ValueError, match="a column must hold numbers, and none does"):
        read_table(",name\n0,a\n1,b\n")
    assert read_table(",x\n0,5\n1,7\n", columns=[0, 1]).points.tolist() == [[0, 5], [1, 7]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n3,4,5\n", "line 3 has 3 values, and the table 2 columns"),
        ("a,b\n1,2\n\n3,4,,5\n6,7\n8,9\n", "line 4 has 4 values"),
        ("1;2\n3;4\n5;6;7\n", "line 3 has 3 values"),
        ("1 2\n3 4\n5 6 seven\n", "line 3 has 3 values"),
        ('"x" "y"\n"1" 5 6\n"2" 7 8 9\n"3" 1 2\n', "line 3 has 4 values, .* 3 columns"),
    ],
)
def test_a_row_wider_than_the_table_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_table(text)


@pytest.mark.parametrize(
    "text",
    ["x,y\n1,2,\n3,4,\n", "x,y,\n1,2\n3,4\n", "x,y\n1,2\n3,4,,,\n", "1,2,\n3,4\n", "1,2\n3,4,\n"],
)
def test_delimiters_at_the_ends_of_lines_are_no_columns(text: str) -> None:
    table = read_table(text)
    assert table.points.tolist() == [[1, 2], [3, 4]] and table.remarks == ""
    assert table.labels == (("x", "y") if "x" in text else ("column 1", "column 2"))


@pytest.mark.parametrize(
    "text",
    [
        '"x" "y"\n"1" 5 6\n"2" 7 8\n',
        "x,y\n1,5,6\n2,7,8\n",
        "x\ty\nanna\t5\t6\nbo\t7\t8\n",
        "    x  y\n0   5  6\n1   7  8\n",
    ],
)
def test_a_header_one_name_short_is_that_of_the_later_columns(text: str) -> None:
    table = read_table(text, count=2)
    assert table.labels == ("x", "y") and table.points.tolist() == [[5, 6], [7, 8]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Laenge, cm,Breite, cm\n1.5,2.5\n", "4 names and the rows have 2 values"),
        ("My title\n1.5,2.5,9\n", "1 name and the rows have 3 values"),
        ("x y z\n1.5 2.5\n", "3 names and the rows have 2 values"),
        # Rows have names that differ: here a decimal comma looks like a comma between columns.
        ("x\n1,5\n1,5\n", "1 name and the rows have 2 values"),
    ],
)
def test_by_a_header_that_fits_no_row_nothing_is_called(text: str, said: str) -> None:
    table = read_table(text, count=2)
    assert table.labels == ("column 1", "column 2")
    assert f"The header has {said}: the columns are numbered." in table.remarks


def test_a_header_that_some_row_fits_is_gone_by() -> None:
    table = read_table("a,b,c\n1,2\n3,4\n5,6,7\n")
    assert table.labels == ("a", "b") and table.remarks == ""


def test_between_spaces_a_short_row_lacks_nobody_knows_what() -> None:
    table = read_table("x y z\n1 2 3\n4 6\n7 8 9\n", count=2)
    assert table.points.tolist() == [[1, 2], [7, 8]]
    assert "1 of 3 rows has a missing value and was left out." in table.remarks
    assert read_table("1 2 3\n4 6\n7 8 9\n").points.tolist() == [[1, 2, 3], [7, 8, 9]]


def test_columns_of_one_name_are_told_apart() -> None:
    table = read_table("x,x,y,,x (column 2),column 4\n1,2,3,4,5,6\n")
    assert table.labels == (
        "x",
        "x (column 2)",
        "y",
        "column 4",
        "x (column 2) (column 5)",
        "column 4 (column 6)",
    )
    assert read_table("x,x\n1,2\n", columns=["x (column 2)", "x"]).points.tolist() == [[2, 1]]


def test_a_comma_that_may_divide_thousands_is_told() -> None:
    table = read_table("a;b\n1,234;5\n2,345;6\n")
    assert table.points.tolist() == [[1.234, 5], [2.345, 6]]
    assert "The comma in 1,234 is read as a decimal mark." in table.remarks


NUMBERS = st.integers(-10_000, 10_000).map(lambda n: n / 8)


@given(
    rows=st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=2, max_size=8),
    delimiter=st.sampled_from(";\t ,"),
    comma=st.booleans(),
    named=st.booleans(),
    encoding=st.sampled_from(ENCODINGS),
)
def test_what_is_written_is_read(
    rows: list[list[float]], delimiter: str, comma: bool, named: bool, encoding: str
) -> None:
    comma &= delimiter != ","
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter)
    if named:
        writer.writerow(["länge", "b", "c"])
    # Of three digits after it, a comma may as well divide thousands, and stands among such alone.
    form = (lambda x: f"{x:.4f}".replace(".", ",")) if comma else (lambda x: f"{x:.4f}")
    writer.writerows([[form(x) for x in row] for row in rows])
    assert read_table(written.getvalue().encode(encoding)).points.tolist() == rows
