"""A model on a grid over the target's window: its picture, both divergences, and the words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from flowviz.flows import Flow
from flowviz.grid import Grid2D
from flowviz.targets import Target
from flowviz.widgets.readouts import Readout, format_number
from flowviz.widgets.stage import Contours, Image

SYMBOLS = ("KL(p*‖p)", "KL(p‖p*)")
CELLS = 120
"""Cells a side where it is to be exact."""
FEW_CELLS = 60
"""Cells a side while it changes."""
WORTH_SAYING = 0.005
"""A model's mass outside the window, or beyond 1, is spoken of from here on."""
STRIPE = 0.035
"""The width of a hatching's stripes, as a share of the window."""


@dataclass(frozen=True)
class Measured:
    """A model on the grid.

    Attributes:
        log_p: log p at the grid's points, ``[R*R]``.
        kls: KL(p*‖p) and KL(p‖p*), in nats; the second without what lies outside the window.
        errors: of the grid, in nats: no standard errors.
        outside: the model's mass outside the window.
        too_much: by how much ∫p over the window is above 1, beyond the grid's error.
    """

    log_p: Tensor
    kls: tuple[float, float]
    errors: tuple[float, float]
    outside: float
    too_much: float

    @property
    def no_density(self) -> str:
        """Why nothing can be said of the model, in words; "" where it has a density."""
        if self.too_much <= WORTH_SAYING:
            return ""
        return f"p is no density: ∫p is {format_number(1 + self.too_much)} here"


class ModelOnGrid:
    """Densities on the window of one target, and what can be read off them.

    Args:
        target: has a density.
        cells: R, a side.
    """

    def __init__(self, target: Target, cells: int = CELLS) -> None:
        self.target, self.cells = target, cells
        self._grid = Grid2D(target.window, cells)
        self.log_target = self._grid.evaluate(target.log_prob)
        self.density = self._image(self.log_target.exp())
        self.top = float(self.density.max())
        # −∫ p* log p*: what forward KL's loss is at its minimum
        zero = torch.zeros_like(self.log_target)
        self.entropy = -self._grid.kl(self.log_target, zero).value

    def outline(self) -> Contours:
        """The target's contours."""
        return Contours(self.density, self.target.window, levels=(0.1, 0.5), label="target p*")

    def measure(self, flow: Flow) -> Measured:
        """The density of a model, and both divergences between it and the target."""
        log_p = self._grid.evaluate(lambda x: flow.log_prob(x.to(flow.like)))
        there, here = self._grid.kl(self.log_target, log_p), self._grid.kl(log_p, self.log_target)
        values, errors = (there.value, here.value), (there.error, here.error)
        mass = self._grid.integrate(log_p)
        outside, too_much = max(0.0, 1 - mass.value), max(0.0, mass.value - mass.error - 1)
        return Measured(log_p, values, errors, outside, too_much)

    def picture(self, model: Measured, palette: str) -> Image:
        """The model's density, on the scale of the target's."""
        density = self._image(model.log_p.exp())
        top = min(self.top, float(density.max())) or self.top
        return Image(density, self.target.window, palette=palette, value_range=(0.0, top))

    def integrand(self, model: Measured, i: int, palette: str) -> Image:
        """Where divergence ``i`` comes from: p log(p/q), hatched where it is negative."""
        pair = (self.log_target, model.log_p)
        here, other = pair if i == 0 else pair[::-1]
        ratio = torch.where(here.exp() > 0, here - other, 0.0).clamp(-1e30, 1e30)
        values = self._image(here.exp() * ratio)
        rows, columns = np.indices(values.shape)
        striped = ((rows + columns) / (STRIPE * self.cells)).astype(int) % 2 == 0
        shown = np.where((values < 0) & striped, 0.0, np.abs(values)).astype(np.float32)
        label = ("p* log(p*/p)", "p log(p/p*)")[i] + ", hatched where negative"
        top = float(np.quantile(np.abs(values), 0.995)) or 1.0
        return Image(
            shown, self.target.window, palette=palette, value_range=(0.0, top), label=label
        )

    def _image(self, values: Tensor) -> np.ndarray:
        """Values at the grid's points as a picture ``[R, R]``, rows going up in y."""
        return values.reshape(self.cells, self.cells).numpy().astype(np.float32)


def show(readouts: tuple[Readout, Readout], model: Measured) -> None:
    """Both divergences, the second as a bound where the model has mass outside the window.

    Of a model that has no density neither is one, and that is said in their place.
    """
    if model.no_density:
        for readout in readouts:
            readout.show_text(model.no_density)
        return
    details = [f"the grid's own error: {format_number(error, 1)} nats" for error in model.errors]
    readouts[0].show(model.kls[0], detail=details[0])
    if model.outside > WORTH_SAYING:
        readouts[1].show_bound(model.kls[1], model.outside, detail=details[1])
    else:
        readouts[1].show(model.kls[1], detail=details[1])


def in_words(model: Measured) -> str:
    """Both divergences, for who cannot see them."""
    if model.no_density:
        return model.no_density
    return ", ".join(
        f"{name} {format_number(kl)} nats" for name, kl in zip(SYMBOLS, model.kls, strict=True)
    )
