"""Quadrature on a plotting window: ∫ f ≈ Σ f(cell centre) · cell area, with an error estimate.

In two dimensions every integral of a panel (mass, log Z, KL) can be computed on a grid, to
far more digits than Monte Carlo gives. The midpoint rule is used: it converges quadratically in
the cell's side for any smooth function, and exponentially for one that is smooth and vanishes at
the window's edge, as densities do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Window = tuple[float, float, float, float]
LogDensity = Callable[[Tensor], Tensor] | Tensor

_CHUNK = 16_384


class Integral(NamedTuple):
    """An integral, or its logarithm, and the error of its quadrature, in the same unit."""

    value: float
    error: float


def check_window(window: object) -> Window:
    """The window as four floats ``(xmin, xmax, ymin, ymax)``; ValueError if it is none."""
    try:
        xmin, xmax, ymin, ymax = (float(v) for v in window)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise ValueError(
            f"a window is four numbers (xmin, xmax, ymin, ymax), not {window!r}"
        ) from None
    if not all(map(math.isfinite, (xmin, xmax, ymin, ymax))) or xmin >= xmax or ymin >= ymax:
        raise ValueError(
            f"a window needs finite xmin < xmax and ymin < ymax, got "
            f"({xmin:g}, {xmax:g}, {ymin:g}, {ymax:g})"
        )
    return xmin, xmax, ymin, ymax


class Grid2D:
    """Centres of R × R equal cells that tile a window.

    Args:
        window: ``(xmin, xmax, ymin, ymax)``.
        resolution: R, cells along each side; even and at least 4.
        device, dtype: of :attr:`points`; CPU and torch's default dtype if left out.

    Attributes:
        x, y: centres along each axis ``[R]``, ascending.
        points: ``[R*R, 2]``. Point ``i*R + j`` is ``(x[j], y[i])``, so that
            ``values.reshape(R, R)`` is an image whose rows go up in y.
        cell_area: area of one cell.
    """

    def __init__(
        self,
        window: Window,
        resolution: int = 200,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if int(resolution) != resolution or resolution < 4 or resolution % 2:
            raise ValueError(
                f"the grid's resolution is an even number, 4 or more, not {resolution!r}"
            )
        self.window = xmin, xmax, ymin, ymax = check_window(window)
        self.resolution = int(resolution)
        self.cell_area = (xmax - xmin) * (ymax - ymin) / self.resolution**2
        centres = (torch.arange(self.resolution, dtype=torch.float64) + 0.5) / self.resolution
        dtype = dtype or torch.get_default_dtype()
        self.x = (xmin + (xmax - xmin) * centres).to(device=device, dtype=dtype)
        self.y = (ymin + (ymax - ymin) * centres).to(device=device, dtype=dtype)
        columns, rows = torch.meshgrid(self.x, self.y, indexing="xy")
        self.points = torch.stack([columns, rows], dim=-1).reshape(-1, 2)

    def evaluate(self, log_density: LogDensity) -> Tensor:
        """The log-density at :attr:`points`, ``[R*R]``, float64 on the CPU, without gradients.

        Args:
            log_density: a function from ``[N, 2]`` to ``[N]``, called in pieces, or a tensor of
                R*R values already computed at :attr:`points`.

        Raises:
            ValueError: the values have another shape, or one of them is NaN or +inf.
        """
        if isinstance(log_density, Tensor):
            values = log_density.detach()
        else:
            with torch.no_grad():
                values = torch.cat([log_density(piece) for piece in self.points.split(_CHUNK)])
        if values.numel() != self.resolution**2:
            raise ValueError(
                f"a log-density on this grid has {self.resolution}*{self.resolution} values, "
                f"not a tensor of shape {tuple(values.shape)}"
            )
        values = values.reshape(-1).cpu().double()
        bad = int((values.isnan() | values.isposinf()).sum())
        if bad:
            raise ValueError(
                f"the log-density is NaN or +inf at {bad:,} of {values.numel():,} grid points"
            )
        return values

    def log_integral(self, log_density: LogDensity) -> Integral:
        """log ∫ exp(log_density) over the window."""
        values = self.evaluate(log_density)
        shift = values.max()
        if shift.isneginf():
            return Integral(-math.inf, 0.0)
        mass, error = self._sum((values - shift).exp())
        return Integral(math.log(mass) + float(shift), error / mass)

    def integrate(self, log_density: LogDensity) -> Integral:
        """∫ exp(log_density) over the window; 1 for a normalised density that lies inside it."""
        return self._sum(self.evaluate(log_density).exp())

    def outside(self, log_prob: LogDensity) -> float:
        """Mass of a normalised density outside the window, 1 − ∫, never below 0."""
        return max(0.0, 1.0 - self.integrate(log_prob).value)

    def kl(self, log_p: LogDensity, log_q: LogDensity) -> Integral:
        """KL(p ‖ q) = ∫ p (log p − log q) over the window, in nats, both normalised.

        Where p = 0 the integrand is 0. Where q = 0 and p > 0 the divergence is infinite, and so
        are the value and the error; a q that is merely tiny gives the large finite value it has.

        The error is the disagreement of the four interleaved grids of twice the spacing, which
        bounds the fine grid's own error from above, plus what p's mass outside the window would
        add if the log-ratio there were as large as on the window's rim. That mass is
        :meth:`outside`; a large one means that the window is too small for this number.
        """
        log_p, log_q = self.evaluate(log_p), self.evaluate(log_q)
        p = log_p.exp()
        if bool(((p > 0) & log_q.isneginf()).any()):
            return Integral(math.inf, math.inf)
        ratio = torch.where(p > 0, log_p - log_q, 0.0)
        value, error = self._sum(p * ratio)
        rim = self._rim(p)
        if (mass := float(rim.sum())) > 0:
            typical = float((rim * self._rim(ratio).abs()).sum()) / mass
            error += max(0.0, 1.0 - self._sum(p).value) * typical
        # No divergence is negative; what the grid's own error makes so is told from 0 by nothing.
        return Integral(0.0 if -error <= value < 0 else value, error)

    def _sum(self, values: Tensor) -> Integral:
        square = values.reshape(self.resolution, self.resolution)
        total = float(square.sum()) * self.cell_area
        coarse = [float(square[i::2, j::2].sum()) * 4 * self.cell_area for i, j in _OFFSETS]
        return Integral(total, max(abs(c - total) for c in coarse))

    def _rim(self, values: Tensor) -> Tensor:
        square = values.reshape(self.resolution, self.resolution)
        return torch.cat([square[0], square[-1], square[1:-1, 0], square[1:-1, -1]])


_OFFSETS = ((0, 0), (0, 1), (1, 0), (1, 1))
