"""A matrix as coloured cells with its numbers, structural zeros told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flowviz.widgets.charts.chart import Chart
from flowviz.widgets.readouts import format_number

MOST_NUMBERS = 8
"""Larger matrices are drawn without the numbers in their cells."""


class Heatmap(Chart):
    """A matrix, such as a Jacobian: orange above zero, blue below, by magnitude.

    Args:
        label: what the matrix is.
        rows, columns: their names; without them, numbers from 1.
    """

    def __init__(
        self,
        label: str,
        *,
        rows: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        height: int = 240,
    ) -> None:
        super().__init__(label, height=height)
        self._what = label
        self._rows, self._columns = rows, columns
        self.show_matrix(np.zeros((0, 0)))

    def show_matrix(self, matrix: np.ndarray, *, zeros: np.ndarray | None = None) -> None:
        """Draw a matrix.

        Args:
            matrix: ``[R, C]``.
            zeros: ``[R, C]`` bool: the entries that are zero by the flow's structure; their cells
                stay empty.

        Raises:
            ValueError: not a matrix, or ``zeros`` of another shape.
        """
        given = np.asarray(matrix, dtype=np.float64)
        if given.ndim != 2:
            raise ValueError(f"a matrix has two dimensions, got shape {given.shape}")
        empty = np.zeros(given.shape, dtype=bool) if zeros is None else np.asarray(zeros, bool)
        if empty.shape != given.shape:
            raise ValueError(f"zeros has shape {empty.shape}, the matrix {given.shape}")
        finite = given[np.isfinite(given) & ~empty]
        top = max(float(np.abs(finite).max()) if finite.size else 0.0, 1e-12)
        cells: dict[str, Any] = {
            "type": "heatmap",
            "z": np.where(empty, np.nan, given),
            "zmin": -top,
            "zmax": top,
            "colorscale": [[0, "--fv-contract"], [0.5, "--fv-neutral"], [1, "--fv-expand"]],
            "showscale": False,
            "xgap": 3,
            "ygap": 3,
            "hovertemplate": "%{z:.4~g}<extra></extra>",
        }
        traces = [cells]
        if 0 < max(given.shape, default=0) <= MOST_NUMBERS:
            traces.append(self._numbers(given, empty, top))
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
            traces if given.size else [], layout, label=f"{self._what}: {text or 'nothing yet'}"
        )

    @staticmethod
    def _numbers(matrix: np.ndarray, empty: np.ndarray, top: float) -> dict[str, Any]:
        rows, columns = np.indices(matrix.shape)
        # ink reads better on all but nearly full colours
        strong = (np.abs(matrix) > 0.85 * top) & ~empty
        return {
            "type": "scatter",
            "mode": "text",
            "x": columns.ravel().astype(np.int32),
            "y": rows.ravel().astype(np.int32),
            "text": [
                "0" if zero else format_number(value)
                for value, zero in zip(matrix.ravel(), empty.ravel(), strict=True)
            ],
            "textfont": {
                "size": 13,
                "color": [
                    "--fv-muted" if zero else "--fv-on-data" if on else "--fv-ink"
                    for zero, on in zip(empty.ravel(), strong.ravel(), strict=True)
                ],
            },
            "hoverinfo": "skip",
        }


def _axis(names: Sequence[str] | None, count: int) -> dict[str, Any]:
    texts = list(names) if names is not None else [str(i + 1) for i in range(count)]
    return {
        "showgrid": False,
        "tickmode": "array",
        "tickvals": list(range(count)),
        "ticktext": texts[:count] if count <= 2 * MOST_NUMBERS else [""] * count,
    }
