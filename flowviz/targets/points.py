"""p*(x) = (1/n) Σ_i N(x; x_i, h² Σ̂): a target made of the user's own points.

The density is a kernel estimate, so that reverse KL, which needs one, works on
data too; draws are bootstrap draws plus that same kernel's noise, so that density and draws
belong to one distribution.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flowviz.grid import Estimate, Window
from flowviz.targets.target import Target

MAX_POINTS = 100_000
MAX_BYTES = 64 * 1024 * 1024
_MAX_KERNELS = 2_000
_MAX_PAIRS = 1_000_000  # points times kernels held in memory at once
_LARGEST = 1e15


class PointsTarget(Target):
    """log p(x) = logsumexp_i log N(x; x_i, h² Σ̂) − log n, Σ̂ the points' covariance.

    h = 0.6 n^(−1/6): Scott, *Multivariate Density Estimation* (1992), gives n^(−1/6) for points of
    one Gaussian; points worth fitting a flow to have finer structure, hence 0.6. Above 2,000
    points those within one bandwidth of each other share a kernel at their mean, which widens it
    by about 4 %.

    Attributes:
        points: the rows ``[n, 2]``, float64, after subsampling and standardising.
        bandwidth: h, in units of the points' own spread.
    """

    def __init__(self, name: str, title: str, about: str, points: Tensor, note: str = "") -> None:
        n = len(points)
        self.points = points
        self.bandwidth = 0.6 * n ** (-1 / 6)
        covariance, thin = _covariance(points)
        if thin:
            note = f"{note} The points lie on a line, nearly: blurred across it.".strip()
        self._scale_tril = self.bandwidth * torch.linalg.cholesky(covariance)
        super().__init__(name, title, self._frame(points), about, note)
        self._centre = points.mean(0)
        self._whitening = torch.linalg.inv(self._scale_tril)
        kernels, weights = self._merge((points - self._centre) @ self._whitening.mT)
        self._kernels = kernels
        self._log_scale = (
            weights.log()
            - 0.5 * kernels.square().sum(-1)
            - self._scale_tril.diagonal().log().sum()
            - math.log(2 * math.pi)
        )
        self._log_z = Estimate(0.0, 0.0)

    def _frame(self, points: Tensor) -> Window:
        """A window about all but the outermost 0.2 % on each side; square unless far from it."""
        low, high = np.quantile(points.numpy(), [0.002, 0.998], axis=0)
        centre, half = (low + high) / 2, (high - low) / 2
        half = 1.08 * half + 2.5 * self._scale_tril.norm(dim=1).numpy()
        if half.max() < 3 * half.min():
            half[:] = half.max()
        (xmin, ymin), (xmax, ymax) = centre - half, centre + half
        return float(xmin), float(xmax), float(ymin), float(ymax)

    @staticmethod
    def _merge(whitened: Tensor) -> tuple[Tensor, Tensor]:
        """Kernel centres ``[M, 2]`` in bandwidths and their weights ``[M]``."""
        n = len(whitened)
        if n <= _MAX_KERNELS:
            return whitened, torch.full((n,), 1.0 / n, dtype=torch.float64)
        _, inverse, counts = np.unique(
            torch.floor(whitened).numpy(), axis=0, return_inverse=True, return_counts=True
        )
        cell = torch.from_numpy(inverse.reshape(-1))
        weights = torch.from_numpy(counts).double()
        sums = torch.zeros(len(counts), 2, dtype=torch.float64).index_add(0, cell, whitened)
        return sums / weights.unsqueeze(-1), weights / n

    def _log_density(self, x: Tensor) -> Tensor:
        centre, whitening, kernels, log_scale = self._as(
            x, self._centre, self._whitening, self._kernels, self._log_scale
        )
        flat = (x.reshape(-1, 2) - centre) @ whitening.mT
        # −½‖a − k‖² = a·k − ½‖k‖² − ½‖a‖²: one matrix product for all pairs.
        pieces = [
            torch.addmm(log_scale, piece, kernels.mT).logsumexp(-1)
            for piece in flat.split(max(1, _MAX_PAIRS // len(kernels)))
        ]
        return (torch.cat(pieces) - 0.5 * flat.square().sum(-1)).reshape(x.shape[:-1])

    def rows(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """``n`` of the points themselves ``[n, 2]``, drawn with replacement, without noise."""
        device = generator.device if generator is not None else torch.device("cpu")
        which = torch.randint(len(self.points), (n,), generator=generator, device=device)
        return self.points.to(device)[which]

    def _draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        rows = self.rows(n, generator)
        noise = torch.randn(n, 2, generator=generator, device=device, dtype=torch.float64)
        return rows + noise @ self._scale_tril.mT.to(device)


def _spread(points: Tensor) -> Tensor:
    """Each column's standard deviation ``[2]``, exactly 0 for a constant column."""
    spread = points.std(0)
    return torch.where(spread > 1e-12 * points.abs().amax(0), spread, 0.0)


def _covariance(points: Tensor) -> tuple[Tensor, bool]:
    """The covariance ``[2, 2]``, and whether it was singular and had to be widened.

    Points on a line have no density on the plane: across it the kernel keeps a hundredth of the
    points' spread.
    """
    spread = _spread(points)
    scale = torch.where(spread > 0, spread, spread.max())
    centred = (points - points.mean(0)) / scale
    variances, axes = torch.linalg.eigh(centred.mT @ centred / (len(points) - 1))
    correlation = (axes * variances.clamp(min=1e-4)) @ axes.mT
    return correlation * scale * scale.unsqueeze(-1), bool(variances[0] < 1e-4)


def from_points(
    points: Any, name: str = "points", title: str = "Your points", standardise: bool = False
) -> PointsTarget:
    """A target from an array of points.

    Args:
        points: ``[n, 2]``, a list, a numpy array or a tensor, n ≥ 2. More than 100,000 rows
            are subsampled (always the same ones), and the target's ``note`` says so.
        name, title: the target's.
        standardise: subtract each column's mean and divide by its standard deviation.

    Raises:
        ValueError: another shape, something that is not a number, NaN or infinite rows (how many,
            and which comes first), fewer than two points, or all points equal.
    """
    return _make(_table(points), name, title, "Your points, smoothed by a kernel.", standardise)


def _table(points: Any) -> np.ndarray:
    """The points as float64 ``[n, 2]``, checked."""
    if isinstance(points, Tensor):
        points = points.detach().cpu().numpy()
    try:
        table = np.asarray(points)
        table = table.astype(np.float64) if table.dtype.kind in "biuf" else np.array(None)
    except (TypeError, ValueError):
        table = np.array(None)
    if table.ndim == 0:
        raise ValueError("points are a table of numbers with two columns; these are not")
    if table.size == 0:
        raise ValueError("there are no points: at least two different ones are needed")
    if table.ndim != 2 or table.shape[1] != 2:
        raise ValueError(f"points have the shape [n, 2], not {list(table.shape)}")
    bad = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(bad):
        raise ValueError(
            f"{len(bad):,} of {len(table):,} points have a NaN or an infinite coordinate, "
            f"the first in row {bad[0]} (counted from 0)"
        )
    if np.abs(table).max() > _LARGEST:
        row = int(np.abs(table).max(axis=1).argmax())
        raise ValueError(f"coordinates are limited to ±1e15; row {row} has {table[row].tolist()}")
    if len(table) == 1:
        raise ValueError("one point has no density: at least two different ones are needed")
    if (table == table[0]).all():
        raise ValueError(
            f"all {len(table):,} points are equal: at least two different ones are needed"
        )
    return table


def _make(table: np.ndarray, name: str, title: str, about: str, standardise: bool) -> PointsTarget:
    note = "The density is a kernel estimate."
    if len(table) > MAX_POINTS:
        note += f" {MAX_POINTS:,} of {len(table):,} points are used, drawn at random."
        chosen = np.random.default_rng(0).choice(len(table), MAX_POINTS, replace=False)
        table = table[np.sort(chosen)]
    points = torch.from_numpy(table)
    if standardise:
        spread = _spread(points)
        points = (points - points.mean(0)) / torch.where(spread > 0, spread, 1.0)
    return PointsTarget(name, title, about, points, note)


# ---------------------------------------------------------------------------- CSV


def from_csv(
    source: str | bytes | Path,
    columns: Sequence[str | int] | None = None,
    name: str = "csv",
    title: str = "Your data",
    standardise: bool = True,
) -> PointsTarget:
    """A target from two columns of a CSV table: comma, semicolon or tab between the values.

    A first row without numbers is the header. With semicolons or tabs a decimal comma is
    understood. Blank lines are skipped; nothing else is.

    Args:
        source: a ``Path``; or the text itself, as bytes or as a string with a line break in it; a
            string of one line is a path. (What a visitor of a page sends is passed as bytes, so
            that it can never name a file.)
        columns: two names of the header or two numbers counted from 0; the first two columns
            that hold numbers if left out.
        name, title: the target's.
        standardise: subtract each column's mean and divide by its standard deviation.

    Raises:
        ValueError: a value is missing or not a number (line and column are named), there are not
            two columns of numbers, no such column, or the text is longer than 64 MiB.
        OSError: the file cannot be read.
    """
    lines = _rows(_text(source))
    header = _header(lines)
    labels = header or [f"column {i}" for i in range(max(len(row) for _, row in lines))]
    if not lines:
        raise ValueError("the table has a header, but no rows")
    first, second = _choose(lines, header, labels, columns)
    table = [[_number(line, row, i, labels) for i in (first, second)] for line, row in lines]
    about = f"{labels[first]} and {labels[second]}"
    about += ", each less its mean and over its standard deviation." if standardise else "."
    return _make(_table(table), name, title, about[0].upper() + about[1:], standardise)


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


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """The table as (line number, cells), blank lines left out."""
    start = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max("\t;,", key=start.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [(reader.line_num, [c.strip() for c in row]) for row in reader if _filled(row)]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} cannot be read as CSV: {error}") from error
    if delimiter != ",":
        rows = [(line, [_decimal_point(c) for c in row]) for line, row in rows]
    if not rows:
        raise ValueError("the table is empty")
    return rows


def _filled(row: list[str]) -> bool:
    """Whether the line holds a row; one of empty values is a row, with its values missing."""
    return len(row) > 1 or any(cell.strip() for cell in row)


def _decimal_point(cell: str) -> str:
    return cell.replace(",", ".") if cell.count(",") == 1 and "." not in cell else cell


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell)) and "_" not in cell
    except ValueError:
        return False


def _header(rows: list[tuple[int, list[str]]]) -> list[str] | None:
    """Takes the header off the rows, if the first one is a header."""
    if any(_is_number(cell) for cell in rows[0][1]):
        return None
    return rows.pop(0)[1]


def _choose(
    rows: list[tuple[int, list[str]]],
    header: list[str] | None,
    labels: list[str],
    columns: Sequence[str | int] | None,
) -> tuple[int, int]:
    if columns is not None:
        if isinstance(columns, str | bytes) or len(columns) != 2:
            raise ValueError(f"two columns are needed, not {columns!r}")
        first, second = (_position(column, header, labels) for column in columns)
        return first, second
    numeric = [i for i in range(len(labels)) if _mostly_numbers(rows, i)]
    if len(numeric) < 2:
        found = f"only {labels[numeric[0]]!r} does" if numeric else "none does"
        raise ValueError(
            f"two columns must hold numbers, and {found} among {', '.join(map(repr, labels))}; "
            f"values are separated by commas, semicolons or tabs"
        )
    return numeric[0], numeric[1]


def _position(column: str | int, header: list[str] | None, labels: list[str]) -> int:
    if isinstance(column, int) and not isinstance(column, bool) and 0 <= column < len(labels):
        return column
    if isinstance(column, str) and column in labels:
        return labels.index(column)
    known = ", ".join(map(repr, labels)) if header else f"the numbers 0 to {len(labels) - 1}"
    raise ValueError(f"there is no column {column!r}; there are: {known}")


def _mostly_numbers(rows: list[tuple[int, list[str]]], i: int) -> bool:
    """Whether at least half of the column's values are numbers: the rest are then mistakes."""
    return 2 * sum(i < len(row) and _is_number(row[i]) for _, row in rows) >= len(rows)


def _number(line: int, row: list[str], i: int, labels: list[str]) -> float:
    cell = row[i] if i < len(row) else ""
    if _is_number(cell):
        return float(cell)
    what = f"{cell[:40]!r} is not a number" if cell else "a value is missing"
    raise ValueError(f"line {line}, column {labels[i]!r}: {what}")


def _packaged(name: str, title: str, about: str) -> PointsTarget:
    path = Path(__file__).parent / "data" / f"{name}.csv"
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    return _make(table, name, title, about, standardise=True)


def old_faithful() -> Target:
    """272 eruptions of Old Faithful: length and waiting time. See data/SOURCES.md."""
    return _packaged(
        "old_faithful",
        "Old Faithful",
        "272 eruptions of the geyser: how long each lasted, and the wait for the next.",
    )


def fiji_earthquakes() -> Target:
    """Longitude and latitude of 1,000 earthquakes near Fiji. See data/SOURCES.md."""
    return _packaged(
        "fiji_earthquakes",
        "Fiji earthquakes",
        "Where 1,000 earthquakes struck along two plate boundaries near Fiji.",
    )


def iris() -> Target:
    """Petal length and sepal width of 150 irises. See data/SOURCES.md."""
    return _packaged("iris", "Iris", "150 irises of three species: petal length and sepal width.")
