"""The map to a histogram of two modes: with cells enough it is as close as one likes."""

from __future__ import annotations

import torch
from torch import Tensor

from flowviz.two_modes.maps import Map
from flowviz.two_modes.normal import log_phi, number
from flowviz.two_modes.targets import Discs, Modes


class Table(Map):
    """The map to the target's histogram: F is linear in each of n equal cells.

    Cells that the target leaves empty have their part of 1/n² of the mass: a map on them needs
    some. KL falls like n⁻² for a smooth density, ∫ q log(q/q̄) ≈ h²/24 ∫ q′²/q.

    Args:
        target: the modes.
        cells: n, an even number.
    """

    def __init__(self, target: Modes, cells: int) -> None:
        super().__init__(target)
        if cells < 2 or cells % 2:
            raise ValueError(f"cells is an even number, got {cells}")
        self.cells = cells
        half = cells // 2
        self.step = target.tabulated / half
        edges = self.step * torch.arange(half + 1, dtype=torch.float64)
        # From the middle as long as that is the smaller part, then from the end.
        central, tail = target.log_central(edges).exp(), target.log_tail(edges).exp()
        masses = torch.where(central[1:] < 0.25, central.diff(), -tail.diff())
        if isinstance(target, Discs):
            masses = (1 - 1 / cells**2) * masses + 1 / cells**3
        self._masses, self._beyond = masses, target.log_tail(edges[-1:]).exp()
        self._from_middle = torch.cat([masses.new_zeros(1), masses.cumsum(0)])
        self._from_end = (
            torch.cat([masses.flip(0).cumsum(0).flip(0), masses.new_zeros(1)]) + self._beyond
        )
        if isinstance(target, Discs):
            self.neck = target.half_width(number(target.bridge + self.step / 2))

    def log_density(self, x: Tensor) -> Tensor:
        cell, outside = self._cell(x.abs())
        inside = (self._masses[cell] / self.step).log()
        return torch.where(outside, self.target.log_density(x), inside)

    def central(self, x: Tensor) -> Tensor:
        cell, outside = self._cell(x)
        inside = self._from_middle[cell] + self._masses[cell] * (x / self.step - cell)
        return torch.where(outside, 0.5 - self.tail(x), inside)

    def tail(self, x: Tensor) -> Tensor:
        cell, outside = self._cell(x)
        inside = self._from_end[cell + 1] + self._masses[cell] * (cell + 1 - x / self.step)
        return torch.where(outside, self.target.log_tail(x).exp(), inside)

    @property
    def largest_log_slope(self) -> float:
        # In a cell p is constant and φ falls: the slope is largest where the cell begins.
        begins = self.step * torch.arange(len(self._masses), dtype=torch.float64)
        slopes = log_phi(self.inverse(begins)) - (self._masses / self.step).log()
        return float(slopes.max())

    def _cell(self, x: Tensor) -> tuple[Tensor, Tensor]:
        cell = (x / self.step).floor().long()
        return cell.clamp(max=len(self._masses) - 1), x >= self.step * len(self._masses)
