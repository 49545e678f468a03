"""Tables of any number of columns."""

from __future__ import annotations

from typing import Any

import pytest

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
