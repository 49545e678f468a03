"""What a target is: a density p*(x) = exp(log_density(x)) / Z on the plane, and draws from it."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from flowviz import arguments
from flowviz.grid import Grid2D, Integral, Window, check_window

_QUADRATURE = 800  # cells a side for log Z: exact to 1e-6 or better for all targets here
_SAMPLING = 512  # cells a side when sampling by inverse CDF


class Target:
    """A distribution on the plane that a flow can be fitted to.

    A subclass gives ``_log_density``, or ``_draw``, or both. From a log-density alone the base
    class draws too, by inverse CDF on a grid over the window. Targets do not change once made.

    Attributes:
        name: its key in the registry. title: for people. about: one sentence on what one sees.
        window: ``(xmin, xmax, ymin, ymax)``, the sensible plotting window.
        note: what the user must know about it ("subsampled to …"), or ``""``.
    """

    def __init__(
        self, name: str, title: str, window: Window, about: str = "", note: str = ""
    ) -> None:
        self.name = name
        self.title = title
        self.window = check_window(window)
        self.about = about
        self.note = note
        self._thumbnails: dict[int, np.ndarray] = {}
        self._constants: dict[tuple[torch.device, torch.dtype], tuple[Tensor, ...]] = {}

    def __repr__(self) -> str:
        return f"<target {self.name!r}: {self.title}>"

    # ------------------------------------------------------------------ the density

    def log_density(self, x: Tensor) -> Tensor:
        """log p̃(x), unnormalised: ``x [..., 2]`` to ``[...]``, differentiable.

        Raises:
            ValueError: x does not end in 2 coordinates, or holds integers.
            TypeError: x is no tensor, or the target can only be sampled (:attr:`has_density` is
                False).
        """
        arguments.instance("x", x, Tensor)
        if x.shape[-1:] != (2,) or not x.is_floating_point():
            raise ValueError(
                f"target {self.name!r} takes points [..., 2] of a floating type, "
                f"not {list(x.shape)} of {x.dtype}"
            )
        return self._log_density(x)

    def _log_density(self, x: Tensor) -> Tensor:
        raise TypeError(f"target {self.name!r} can be sampled, but its density is not known")

    def log_prob(self, x: Tensor) -> Tensor:
        """log p*(x) = log p̃(x) − log Z: ``x [..., 2]`` to ``[...]``. Raises as above."""
        return self.log_density(x) - (self.log_z or 0.0)

    @property
    def has_density(self) -> bool:
        """Whether :meth:`log_density` can be called (reverse KL needs it)."""
        return type(self)._log_density is not Target._log_density

    @property
    def has_samples(self) -> bool:
        """Whether :meth:`sample` can be called (forward KL needs it)."""
        return self.has_density or type(self)._draw is not Target._draw

    @property
    def log_z(self) -> float | None:
        """log Z = log ∫ p̃: known in closed form, or computed once on a grid over the window.

        None for a target that can only be sampled.
        """
        return self._log_z.value if self.has_density else None

    @property
    def log_z_error(self) -> float | None:
        """Error of :attr:`log_z`; 0 where it is known in closed form."""
        return self._log_z.error if self.has_density else None

    @cached_property
    def _log_z(self) -> Integral:
        grid = Grid2D(self.window, _QUADRATURE, dtype=torch.float64)
        return grid.log_integral(self.log_density)

    # ------------------------------------------------------------------ draws

    def sample(
        self,
        n: int,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """``n`` independent draws ``[n, 2]``.

        They are drawn on the generator's device and then moved, so one seed gives the same
        points on every device.

        Args:
            n: 0 or more.
            generator: source of randomness; torch's global one if left out.
            device, dtype: of the result; CPU and torch's default dtype if left out.
        """
        if not arguments.is_whole(n) or n < 0:
            raise ValueError(f"the number of draws is a whole number, 0 or more, not {n!r}")
        source = generator.device if generator is not None else torch.device("cpu")
        kind = torch.get_default_dtype() if dtype is None else dtype
        points = self._draw(n, generator, source)
        return points.to(device=device or torch.device("cpu"), dtype=kind)

    def _draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        """``[n, 2]`` on ``device``: a cell of a fine grid by inverse CDF, uniform inside it."""
        cdf, grid = self._cell_cdf
        u = torch.rand(n, 3, generator=generator, device=device).cpu().double()
        cell = torch.searchsorted(cdf, u[:, 0].contiguous()).clamp(max=len(cdf) - 1)
        xmin, xmax, ymin, ymax = self.window
        side = torch.tensor([xmax - xmin, ymax - ymin], dtype=torch.float64) / grid.resolution
        return (grid.points[cell] + (u[:, 1:] - 0.5) * side).to(device)

    @cached_property
    def _cell_cdf(self) -> tuple[Tensor, Grid2D]:
        grid = Grid2D(self.window, _SAMPLING, dtype=torch.float64)
        values = grid.evaluate(self.log_density)
        cdf = (values - values.max()).exp().cumsum(0)
        return cdf / cdf[-1], grid

    # ------------------------------------------------------------------ pictures and slices

    def thumbnail(self, size: int = 48) -> np.ndarray:
        """The density as a picture ``[size, size]``, float32 in 0…1, first row at the top.

        Brightness saturates where the densest fifth of the mass lies and grows with the square
        root of the density, so that thin and broad parts can both be seen. Computed once.
        """
        if size not in self._thumbnails:
            picture = self._picture(size)
            picture.setflags(write=False)
            self._thumbnails[size] = picture
        return self._thumbnails[size]

    def _picture(self, size: int) -> np.ndarray:
        if not arguments.is_whole(size) or not 2 <= size <= 1024:
            raise ValueError(f"a thumbnail is 2 to 1024 pixels wide, not {size!r}")
        density = self._density_image(size) if self.has_density else self._histogram(size)
        ranked, _ = density.flatten().sort(descending=True)
        mass = ranked.cumsum(0) / ranked.sum()
        saturated = ranked[int((mass < 0.2).sum())]
        return (density / saturated).clamp(max=1).sqrt().numpy().astype(np.float32)

    def _density_image(self, size: int) -> Tensor:
        grid = Grid2D(self.window, 2 * size)
        values = grid.evaluate(self.log_density)
        fine = (values - values.max()).exp().reshape(size, 2, size, 2)
        return fine.mean(dim=(1, 3)).flip(0)

    def _histogram(self, size: int) -> Tensor:
        draws = self.sample(20 * size * size, torch.Generator().manual_seed(0)).numpy()
        xmin, xmax, ymin, ymax = self.window
        counts, _, _ = np.histogram2d(
            draws[:, 1], draws[:, 0], bins=size, range=[[ymin, ymax], [xmin, xmax]]
        )
        return torch.from_numpy(counts).flip(0)

    def slice(self, axis: int, at: float) -> Slice:
        """The conditional density on the line where coordinate ``axis`` equals ``at``."""
        return Slice(self, axis, at)

    # ------------------------------------------------------------------ for subclasses

    def _as(self, x: Tensor, *constants: Tensor) -> tuple[Tensor, ...]:
        """The target's float64 constants on x's device and dtype, moved there once."""
        key = (x.device, x.dtype)
        if key not in self._constants:
            self._constants[key] = tuple(c.to(x) for c in constants)
        return self._constants[key]


class Slice:
    """A one-dimensional target: ``target`` along the line where coordinate ``axis`` is ``at``.

    p(t) ∝ p̃(t, at) for ``axis=1`` and p̃(at, t) for ``axis=0``, normalised on the window's
    interval. ``log_density`` and ``log_prob`` take ``t [...]``; ``sample(n)`` gives ``[n]``, by
    inverse CDF on a fine grid.

    Raises:
        ValueError: ``axis`` is neither 0 nor 1, the target has no density, or no mass there.
    """

    _CELLS = 4096

    def __init__(self, target: Target, axis: int, at: float) -> None:
        if axis not in (0, 1):
            raise ValueError(f"a slice fixes coordinate 0 or 1, not {axis!r}")
        if not target.has_density:
            raise ValueError(f"target {target.name!r} has no density to slice")
        if not math.isfinite(at):
            raise ValueError(f"a slice lies at a finite coordinate, not {at!r}")
        self.target, self.axis, self.at = target, axis, float(at)
        self.name = f"{target.name}[{'xy'[axis]}={self.at:g}]"
        self.title = f"{target.title}, {'xy'[axis]} = {self.at:g}"
        low, high = target.window[2:] if axis == 0 else target.window[:2]
        self.window = (low, high)
        self._step = (high - low) / self._CELLS
        centres = low + self._step * (torch.arange(self._CELLS, dtype=torch.float64) + 0.5)
        with torch.no_grad():
            values = self.log_density(centres)
        log_mass = float(values.logsumexp(0))
        if not math.isfinite(log_mass):
            raise ValueError(f"target {target.name!r} has no mass where {'xy'[axis]} = {at:g}")
        self.log_z = log_mass + math.log(self._step)
        self._cdf = (values - log_mass).exp().cumsum(0)

    def log_density(self, t: Tensor) -> Tensor:
        """log p̃ along the line: ``t [...]`` to ``[...]``. TypeError if ``t`` is no tensor."""
        arguments.instance("t", t, Tensor)
        fixed = torch.full_like(t, self.at)
        pair = (fixed, t) if self.axis == 0 else (t, fixed)
        return self.target.log_density(torch.stack(pair, dim=-1))

    def log_prob(self, t: Tensor) -> Tensor:
        """log p(t), normalised: ``t [...]`` to ``[...]``."""
        return self.log_density(t) - self.log_z

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """``n`` draws ``[n]`` in torch's default dtype, on the generator's device.

        Raises:
            ValueError: ``n`` is not a whole number ≥ 0.
        """
        arguments.whole("n", n, 0)
        device = generator.device if generator is not None else torch.device("cpu")
        u = torch.rand(n, 2, generator=generator, device=device).cpu().double()
        cell = torch.searchsorted(self._cdf, u[:, 0] * self._cdf[-1]).clamp(max=self._CELLS - 1)
        t = self.window[0] + self._step * (cell + u[:, 1])
        return t.to(device=device, dtype=torch.get_default_dtype())
