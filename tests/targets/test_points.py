"""One's own points and tables: what is taken, and how everything else is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from flowviz.grid import Grid2D
from flowviz.targets import from_csv, from_points, make, table
from flowviz.targets import points as module
from tests.targets.draws_against_density import chi_square, seeded


def cloud(n: int = 500) -> np.ndarray:
    rng = np.random.default_rng(0)
    left = rng.normal(size=(n, 2)) * [0.4, 0.9]
    return left + np.where(rng.random((n, 1)) < 0.5, 3.0, 0.0)


@pytest.mark.parametrize("make_array", [list, np.asarray, torch.as_tensor, lambda a: a.tolist()])
def test_lists_arrays_and_tensors(make_array: Any) -> None:
    target = from_points(make_array(cloud()), name="mine", title="Mine")
    assert target.name == "mine" and target.title == "Mine" and "kernel" in target.note
    assert target.has_density and target.has_samples
    np.testing.assert_allclose(target.points.numpy(), cloud())


def test_draws_follow_the_kernel_density() -> None:
    target = from_points(cloud())
    draws = target.sample(40_000, seeded(), dtype=torch.float64)
    assert abs(chi_square(target, draws)) < 4


def test_density_is_the_kernel_sum() -> None:
    points = torch.from_numpy(cloud(40))
    target = from_points(points)
    covariance = target.bandwidth**2 * torch.cov(points.mT)
    kernels = torch.distributions.MultivariateNormal(points, covariance)
    x = torch.tensor([[0.3, 0.4], [3.0, 2.0], [-5.0, 9.0]], dtype=torch.float64)
    expected = kernels.log_prob(x.unsqueeze(1)).logsumexp(1) - math.log(40)
    torch.testing.assert_close(target.log_prob(x), expected, rtol=1e-9, atol=1e-9)


def test_shared_kernels_change_the_density_little() -> None:
    rng = np.random.default_rng(1)
    points = torch.from_numpy(rng.normal(size=(6000, 2)) * [1.0, 0.5])
    target = from_points(points)
    x = target.sample(60, seeded(), dtype=torch.float64)
    kernels = torch.distributions.MultivariateNormal(
        points, scale_tril=target.bandwidth * torch.linalg.cholesky(torch.cov(points.mT))
    )
    exact = kernels.log_prob(x.unsqueeze(1)).logsumexp(1) - math.log(6000)
    assert float((target.log_prob(x) - exact).abs().mean()) < 0.03
    assert abs(chi_square(target, target.sample(20_000, seeded(), dtype=torch.float64))) < 4


def test_rows_are_the_points_themselves() -> None:
    target = from_points(cloud(50))
    rows = target.rows(200, seeded())
    known = {tuple(p) for p in target.points.tolist()}
    assert all(tuple(p) in known for p in rows.tolist())


def test_a_million_points_are_subsampled_and_it_is_said() -> None:
    points = np.random.default_rng(0).normal(size=(1_000_000, 2))
    target = from_points(points)
    assert len(target.points) == 100_000
    assert "100,000 of 1,000,000 points" in target.note
    assert torch.equal(target.points, from_points(points).points)
    assert Grid2D(target.window, 60).integrate(target.log_prob).value == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    "points, message",
    [
        ([], "there are no points"),
        (np.empty((0, 2)), "there are no points"),
        ([[1, 2]], "one point has no density"),
        ([[1, 2]] * 7, "all 7 points are equal"),
        ([[1, 2], [1 + 2**-52, 2]], "all 2 points are equal"),
        ([1, 2, 3], r"shape \[n, 2\], not \[3\]"),
        (np.zeros((4, 3)), r"not \[4, 3\]"),
        (np.zeros((4, 2, 2)), r"not \[4, 2, 2\]"),
        ([[1, 2], [3]], "table of numbers"),
        ([["a", "b"], ["c", "d"]], "table of numbers"),
        (None, "table of numbers"),
        ("points", "table of numbers"),
        (object(), "table of numbers"),
        ([[1j, 2], [3, 4]], "table of numbers"),
        (
            [[0, 1], [math.nan, 1], [2, 3], [1, math.inf]],
            "2 of 4 points .* first of them is point 2",
        ),
        ([[0, 1], [1e300, 1]], "point 2 is"),
    ],
)
def test_bad_points_are_refused(points: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_points(points)


@pytest.mark.parametrize(
    "points",
    [
        [[0, 0], [1, 1]],
        [[0.1, 1], [0.1, 2], [0.1, 5]],
        [[1e6 + i, 0.5] for i in range(9)],
        [[i, 2 * i + 1] for i in range(50)],
    ],
)
def test_points_on_a_line_are_blurred_across_it(points: Any) -> None:
    target = from_points(points)
    assert "on a line" in target.note
    x = target.sample(500, seeded(), dtype=torch.float64)
    assert target.log_prob(x).isfinite().all() and x.isfinite().all()


def test_units_do_not_matter() -> None:
    """A column a million times larger is no line, and the density only changes its units."""
    target, scaled = from_points(cloud()), from_points(cloud() * [1e6, 1.0])
    assert "on a line" not in scaled.note
    x = target.sample(50, seeded(), dtype=torch.float64)
    unit = torch.tensor([1e6, 1.0], dtype=torch.float64)
    torch.testing.assert_close(scaled.log_prob(x * unit), target.log_prob(x) - math.log(1e6))


def test_standardised_columns() -> None:
    points = from_points(cloud() * [1e3, 1e-3] + [7, -1], standardise=True).points
    torch.testing.assert_close(points.mean(0), torch.zeros(2).double(), rtol=0, atol=1e-9)
    torch.testing.assert_close(points.std(0), torch.ones(2).double(), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "name, rows", [("old_faithful", 272), ("fiji_earthquakes", 1000), ("iris", 150)]
)
def test_data_sets(name: str, rows: int) -> None:
    target = make(name)
    assert isinstance(target, module.PointsTarget) and len(target.points) == rows
    torch.testing.assert_close(target.points.std(0), torch.ones(2).double(), rtol=0, atol=1e-9)
    source = Path(module.__file__).parent / "data" / "SOURCES.md"
    assert f"{name}.csv" in source.read_text(encoding="utf-8")


def test_old_faithful_has_two_modes() -> None:
    raw = np.loadtxt(
        Path(module.__file__).parent / "data/old_faithful.csv", delimiter=",", skiprows=1
    )
    # The published means of the 272 eruptions.
    np.testing.assert_allclose(raw.mean(0), [3.488, 70.897], atol=1e-3)
    at = make("old_faithful").log_prob(torch.tensor([[-1.3, -1.2], [-0.3, -0.3], [0.75, 0.7]]))
    assert at[0] > at[1] + 0.5 and at[2] > at[1] + 0.5


# ---------------------------------------------------------------------------- CSV

TABLE = "name,height,weight\na,1.5,60\nb,1.8,80\n\nc,1.6,70\n"


def rows_of(text: str | bytes, **options: Any) -> list[list[float]]:
    return from_csv(text, standardise=False, **options).points.tolist()


EXPECTED = [[1.5, 60.0], [1.8, 80.0], [1.6, 70.0]]


@pytest.mark.parametrize(
    "text",
    [
        TABLE,
        TABLE.encode(),
        b"\xef\xbb\xbf" + TABLE.encode(),
        TABLE.replace("\n", "\r\n"),
        TABLE.replace("\n", "\r"),
        TABLE.replace(",", ";"),
        TABLE.replace(",", "\t"),
        TABLE.replace(",", ";").replace(".", ","),
        TABLE.replace("name", '"the, ""name"""').replace("1.5", '"1.5"'),
        "1.5,60\n1.8,80\n1.6,70",
        " 1.5 , 60 \n1.8,80\n1.6,70\n\n\n",
        "größe;gewicht\n1,5;60\n1,8;80\n1,6;70\n".encode("latin-1"),
        "\n\n" + TABLE,
        TABLE.replace(",", " "),
        TABLE.replace(",", " ").replace(".", ","),
        "1,5   60\n 1,8\t80 \n1,6 70",
    ],
)
def test_tables_are_read(text: str | bytes) -> None:
    assert rows_of(text) == EXPECTED


@pytest.mark.parametrize("missing", ["", "NA", "nan", "N/A", "?", "-", " null "])
def test_rows_with_a_missing_value_are_left_out_and_counted(missing: str) -> None:
    target = from_csv(f"a,b\n1,2\n3,{missing}\n{missing},5\n4,6\n", standardise=False)
    assert target.points.tolist() == [[1, 2], [4, 6]]
    assert "2 of 4 rows have a missing value and were left out." in target.note


def test_a_short_row_is_one_with_a_missing_value() -> None:
    target = from_csv("a,b\n1,2\n3\n4,6\n", standardise=False)
    assert target.points.tolist() == [[1, 2], [4, 6]]
    assert "1 of 3 rows has a missing value and was left out." in target.note
    assert "missing" not in from_csv("a,b\n1,2\n\n4,6\n").note, "a blank line is no row"


def test_a_table_with_more_columns_of_numbers_says_so() -> None:
    target = from_csv("t,x,name,y\n1,2,a,3\n2,5,b,7\n", standardise=False)
    assert target.points.tolist() == [[1, 2], [2, 5]]
    assert target.about == "T and x."
    assert "3 columns hold numbers: the first two are taken." in target.note
    assert "hold numbers" not in from_csv(TABLE).note
    assert "hold numbers" not in from_csv("a,b,c\n1,2,3\n4,5,7\n", columns=["a", "c"]).note


def test_columns_are_chosen() -> None:
    assert rows_of(TABLE, columns=["weight", "height"]) == [p[::-1] for p in EXPECTED]
    assert rows_of(TABLE, columns=[2, 1]) == [p[::-1] for p in EXPECTED]
    assert "Height and weight" in from_csv(TABLE).about
    standardised = from_csv(TABLE).points
    torch.testing.assert_close(standardised.std(0), torch.ones(2).double())


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(TABLE)
    assert rows_of(str(path)) == EXPECTED
    assert from_csv(path, standardise=False).points.tolist() == EXPECTED
    with pytest.raises(FileNotFoundError):
        from_csv(tmp_path / "nothing.csv")


def test_bytes_never_name_a_file(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(TABLE)
    with pytest.raises(ValueError):
        from_csv(str(path).encode())


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "the table is empty"),
        (b"", "the table is empty"),
        ("\n\n\n", "the table is empty"),
        ("  \n \n", "the table is empty"),
        (",\n,\n", "two columns must hold numbers, and none does"),
        ("a,b\n", "a header, but no rows"),
        ("a,b\n1,2\n", "one point"),
        ("a,b\n1,2\n1,2\n", "all 2 points are equal"),
        ("a,b\n1,2\n3,x\n4,5\n", "line 3, column 'b': 'x' is not a number"),
        ("a,b\n1,2\n\n3,x\n4,5\n", "line 4, column 'b': 'x' is not a number"),
        ("a,b\n1,\n2,\n,3\n,4\n", "no row has a value in both 'a' and 'b'"),
        ("1,2\n3,4\nfive,6\n", "line 3, column 'column 1': 'five' is not a number"),
        ("1,2\n3,4\n5,inf\n", "line 3, column 'column 2': 'inf' is not a number"),
        ("1,2\n3,4\n1_0,5\n", "'1_0' is not a number"),
        ('a,b\n1,2\n"3\n3",4\n5,6\n', "column 'a'"),
        ("a,b\nx,y\nz,w\n", "two columns must hold numbers, and none does among 'a', 'b'"),
        ("a,b\nx,1\nz,2\n", "only 'b' does"),
        ("1\n2\n3\n", "commas, semicolons, tabs or spaces"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "not a text file"),
        ("<html>\n<body>\n", "two columns must hold numbers"),
        ("a,b\n1," + "9" * 200_000 + "\n", "cannot be read as CSV"),
        ("a,b\n1e300,1\n2,2\n", "line 2, column 'a': numbers are limited"),
    ],
)
def test_bad_tables_are_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_csv(text)


@pytest.mark.parametrize(
    "columns", [["age", "height"], ["height"], "height", [0, 9], [-1, 1], [True, 1]]
)
def test_bad_columns_are_refused(columns: Any) -> None:
    with pytest.raises(ValueError, match=r"there is no column|two columns are needed"):
        from_csv(TABLE, columns=columns)


def test_text_in_a_named_column_is_named() -> None:
    with pytest.raises(ValueError, match="line 2, column 'name': 'a' is not a number"):
        from_csv(TABLE, columns=["name", "height"])


def test_too_large_a_table_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(table, "MAX_BYTES", 10)
    path = tmp_path / "people.csv"
    path.write_text(TABLE)
    for source in (TABLE, TABLE.encode(), path):
        with pytest.raises(ValueError, match="larger than"):
            from_csv(source)


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="as a path, as text or as bytes"):
        from_csv(3)  # type: ignore[arg-type]
