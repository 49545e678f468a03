"""A matrix as coloured cells with its numbers, structural zeros told apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flowviz.widgets import esm
from flowviz.widgets.charts.chart import Chart
from flowviz.widgets.readouts import format_number

MOST_NUMBERS = 8
"""Of larger matrices the numbers are in the tooltips alone."""


class Heatmap(Chart):
    """A matrix, such as a Jacobian: the darker a cell, the larger the entry in absolute value.

    The sign is in the number; signs of entries have no colour, for a pair of colours already
    means squeezing and stretching.

    Args:
        label: what the matrix is.
        rows, columns: their names; without them, numbers from 1.
    """

    _esm = esm.widget(Path(__file__).with_name("heatmap.js"))

    def __init__(
        self,
        label: str,
        *,
        rows: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        height: int = 240,
    ) -> None:
        super().__init__(label, height=height)
        self._rows, self._columns = rows, columns
        self.show_matrix(np.zeros((0, 0)))

    def show_matrix(self, matrix: np.ndarray, *, zeros: np.ndarray | None = None) -> None:
        """Draw a matrix.

        Args:
            matrix: ``[R, C]``.
            zeros: ``[R, C]`` bool: the entries that are zero by the flow's structure; their cells
                are hatched.

        Raises:
            ValueError: not a matrix, or ``zeros`` of another shape.
        """
        given = np.asarray(matrix, dtype=np.float64)
        if given.ndim != 2:
            raise ValueError(f"a matrix has two dimensions, got shape {given.shape}")
        empty = np.zeros(given.shape, dtype=bool) if zeros is None else np.asarray(zeros, bool)
        if empty.shape != given.shape:
            raise ValueError(f"zeros has shape {empty.shape}, the matrix {given.shape}")
        self.matrix, self.zeros = given, empty
        finite = given[np.isfinite(given) & ~empty]
        top = max(float(np.abs(finite).max()) if finite.size else 0.0, 1e-12)
        cells: dict[str, Any] = {
            "type": "heatmap",
            "z": np.where(empty, np.nan, np.abs(given)),
            "zmin": 0,
            "zmax": top,
            "showscale": False,
            "xgap": 3,
            "ygap": 3,
            "customdata": [[format_number(value) for value in row] for row in given],
            "hovertemplate": "%{customdata}<extra></extra>",
        }
        traces = [cells]
        if 0 < max(given.shape, default=0) <= MOST_NUMBERS:
            traces.append(_numbers(given, empty))
        if empty.any():
            traces.append(_hatching(empty))
        rows, columns = given.shape
        layout: dict[str, Any] = {
            "xaxis": _axis(self._columns, columns) | {"side": "top", "constrain": "domain"},
            "yaxis": _axis(self._rows, rows)
            | {"autorange": "reversed", "scaleanchor": "x", "constrain": "domain"},
        }
        text = "; ".join(
            ", ".join("0" if empty[r, c] else format_number(given[r, c]) for c in range(columns))
            for r in range(min(rows, MOST_NUMBERS))
        )
        self.show(
            traces if given.size else [], layout, label=f"{self.what}: {text or 'nothing yet'}"
        )


def _numbers(matrix: np.ndarray, empty: np.ndarray) -> dict[str, Any]:
    """The numbers in the cells; the page writes as many digits as fit."""
    rows, columns = np.indices(matrix.shape)
    zeros = empty.ravel().tolist()
    return {
        "type": "scatter",
        "mode": "text",
        "x": columns.ravel().astype(np.int32),
        "y": rows.ravel().astype(np.int32),
        "customdata": np.where(empty, 0.0, matrix).ravel(),
        "textfont": {
            "size": 13,
            "color": ["--fv-muted" if zero else "--fv-ink" for zero in zeros],
        },
        "hoverinfo": "skip",
    }


def _hatching(empty: np.ndarray) -> dict[str, Any]:
    """A slanted stroke in each cell that is zero by structure: no shade of a colour is that."""
    rows, columns = np.nonzero(empty)
    return {
        "type": "scatter",
        "mode": "markers",
        "x": columns.astype(np.int32),
        "y": rows.astype(np.int32),
        "marker": {
            "symbol": "line-ne-open",
            "color": "--fv-muted/0.6",
            "line": {"width": 1},
        },
        "hoverinfo": "skip",
    }


def _axis(names: Sequence[str] | None, count: int) -> dict[str, Any]:
    texts = list(names) if names is not None else [str(i + 1) for i in range(count)]
    return {
        "showgrid": False,
        "tickmode": "array",
        "tickvals": list(range(count)),
        "ticktext": texts[:count],
    }
