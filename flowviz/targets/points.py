"""p*(x) = (1/n) Σ_i N(x; x_i, h² Σ̂): a target made of the user's own points.

The density is a kernel estimate, so that reverse KL, which needs one, works on
data too; draws are bootstrap draws plus that same kernel's noise, so that density and draws
belong to one distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flowviz.grid import Integral, Window
from flowviz.moments import moments, standardised
from flowviz.targets.log_sum_exp import log_sum_exp
from flowviz.targets.table import LARGEST, read_table
from flowviz.targets.target import Target

MAX_POINTS = 100_000
_MAX_KERNELS = 2_000


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
        self._log_z = Integral(0.0, 0.0)

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
        a = (x - centre) @ whitening.mT
        # −½‖a − k‖² = a·k − ½‖k‖² − ½‖a‖²: one matrix product for all pairs.
        total = log_sum_exp(lambda a: torch.addmm(log_scale, a, kernels.mT), a, len(kernels))
        return total - 0.5 * a.square().sum(-1)

    def rows(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """``n`` of the points themselves ``[n, 2]``, drawn with replacement, without noise."""
        device = generator.device if generator is not None else torch.device("cpu")
        which = torch.randint(len(self.points), (n,), generator=generator, device=device)
        return self.points.to(device)[which]

    def _draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        rows = self.rows(n, generator)
        noise = torch.randn(n, 2, generator=generator, device=device, dtype=torch.float64)
        return rows + noise @ self._scale_tril.mT.to(device)


def _covariance(points: Tensor) -> tuple[Tensor, bool]:
    """The covariance ``[2, 2]``, and whether it was singular and had to be widened.

    Points on a line have no density on the plane: across it the kernel keeps a hundredth of the
    points' spread.
    """
    mean, spread = moments("points", points)
    scale = torch.where(spread > 0, spread, spread.max())
    centred = (points - mean) / scale
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
    return _make(
        check_points(points), name, title, "Your points, smoothed by a kernel.", standardise
    )


def check_points(points: Any) -> np.ndarray:
    """The points as float64 ``[n, 2]``. Raises as :func:`from_points` does."""
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
            f"the first of them is point {bad[0] + 1:,}"
        )
    if np.abs(table).max() > LARGEST:
        far = int(np.abs(table).max(axis=1).argmax())
        raise ValueError(
            f"coordinates are limited to ±{LARGEST:g}; point {far + 1:,} is {table[far].tolist()}"
        )
    if len(table) == 1:
        raise ValueError("one point has no density: at least two different ones are needed")
    if not moments("points", torch.from_numpy(table))[1].any():
        raise ValueError(
            f"all {len(table):,} points are equal: at least two different ones are needed"
        )
    return table


def _make(
    table: np.ndarray, name: str, title: str, about: str, standardise: bool, remarks: str = ""
) -> PointsTarget:
    note = f"The density is a kernel estimate. {remarks}".rstrip()
    if len(table) > MAX_POINTS:
        note += f" {MAX_POINTS:,} of {len(table):,} points are used, drawn at random."
        chosen = np.random.default_rng(0).choice(len(table), MAX_POINTS, replace=False)
        table = table[np.sort(chosen)]
    points = torch.from_numpy(table)
    if standardise:
        points = standardised("points", points)
    return PointsTarget(name, title, about, points, note)


def from_csv(
    source: str | bytes | Path,
    columns: Sequence[str | int] | None = None,
    name: str = "csv",
    title: str = "Your data",
    standardise: bool = True,
) -> PointsTarget:
    """A target from two columns of a table, as :func:`flowviz.targets.table.read_table` reads it.

    The target's ``note`` says how many rows were left out because a value is missing, and whether
    there were more columns of numbers than the two that were taken.

    Args:
        source, columns: as for ``read_table``.
        name, title: the target's.
        standardise: subtract each column's mean and divide by its standard deviation.

    Raises:
        ValueError: what ``read_table`` refuses, or fewer than two different points.
        OSError: the file cannot be read.
    """
    table = read_table(source, columns, count=2)
    about = " and ".join(table.labels)
    about += ", each less its mean and over its standard deviation." if standardise else "."
    about = about[0].upper() + about[1:]
    return _make(check_points(table.points), name, title, about, standardise, table.remarks)


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
