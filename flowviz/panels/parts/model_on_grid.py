"""A model on a grid over the target's window: its picture, both divergences, and the words."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
SEEN = 0.05
"""A hatching is seen from such a share of the brightest on."""
LEVELS = (0.1, 0.5)
"""The target's contours, as shares of its highest density; they hold 90 and 50 % of a Gaussian."""
HELD, LIGHT = 0.98, 0.015
"""One more holds so much of the mass where that takes a level below this: a light mode's."""
LEFT_OUT = math.log(100)
"""Where log p is less than log p* by more than this, p leaves p* out."""
LEVEL = 0.05
"""Two divergences that differ by a smaller share are level."""


@dataclass(frozen=True)
class Measured:
    """A model on the grid.

    Attributes:
        log_p: log p at the grid's points, ``[R*R]``.
        kls: KL(p*‖p) and KL(p‖p*), in nats; the second without what lies outside the window.
        errors: of the grid, in nats: no standard errors.
        outside: the model's mass outside the window.
        too_much: by how much ∫p over the window is above 1, beyond the grid's error.
        left_out: the target's mass where p is less than a hundredth of p*.
    """

    log_p: Tensor
    kls: tuple[float, float]
    errors: tuple[float, float]
    outside: float
    too_much: float
    left_out: float

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

    Attributes:
        log_target: log p* at the grid's points, ``[R*R]``.
        density: p* as a picture ``[R, R]``, rows going up in y; top: its largest value.
        entropy: of p*, in nats.
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

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean ``[2]`` and covariance ``[2, 2]`` of the target, in the window, float64."""
        share = torch.softmax(self.log_target, 0)
        points = self._grid.points.double()
        mean = share @ points
        return mean, (share[:, None] * (points - mean)).mT @ (points - mean)

    def outline(self) -> Contours:
        """The target's contours, a light mode's among them."""
        shares = torch.softmax(self.log_target, 0).sort(descending=True).values
        held = int((shares.cumsum(0) < HELD).sum())
        lowest = float(shares[held] / shares[0])
        levels = (lowest, *LEVELS) if lowest < LIGHT else LEVELS
        return Contours(self.density, self.target.window, levels=levels, label="target p*")

    def measure(self, flow: Flow) -> Measured:
        """The density of a model, and both divergences between it and the target."""
        log_p = self._grid.evaluate(lambda x: flow.log_prob(x.to(flow.like)))
        there, here = self._grid.kl(self.log_target, log_p), self._grid.kl(log_p, self.log_target)
        values, errors = (there.value, here.value), (there.error, here.error)
        mass = self._grid.integrate(log_p)
        outside, too_much = max(0.0, 1 - mass.value), max(0.0, mass.value - mass.error - 1)
        missed = log_p < self.log_target - LEFT_OUT
        left_out = float(torch.softmax(self.log_target, 0)[missed].sum())
        return Measured(log_p, values, errors, outside, too_much, left_out)

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
        top = float(np.quantile(np.abs(values), 0.995)) or 1.0
        hatched = ", hatched < 0" * bool(values.min() < -SEEN * top)
        label = ("p* log(p*/p)", "p log(p/p*)")[i] + hatched
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
        beyond = "a part of p is outside of the picture, where nothing is measured"
        readouts[1].show_bound(model.kls[1], model.outside, detail=f"{beyond}; {details[1]}")
    else:
        readouts[1].show(model.kls[1], detail=details[1])


def in_words(model: Measured) -> str:
    """Both divergences, for who cannot see them."""
    if model.no_density:
        return model.no_density
    return ", ".join(
        f"{name} {format_number(kl)} nats" for name, kl in zip(SYMBOLS, model.kls, strict=True)
    )


def compared(models: Sequence[Measured], done: int, linear: bool) -> str:
    """A sentence on the forward model beside the reverse one.

    Args:
        models: the two.
        done: so many steps both have been trained.
        linear: whether they are Gaussians, whatever they have learned.
    """
    there, here = models[0].kls, models[1].kls
    if linear and not done:
        return "The flow is linear: forward KL will end at the ellipses, p*'s mean and covariance."
    if not done:
        return "Forward KL pays where the target has samples, reverse KL where the model goes."
    if linear:
        return "Forward KL ends at the ellipses, p*'s mean and covariance; reverse KL need not."
    if here[0] > 4 * there[0] and here[0] > 0.5:
        missed = models[1].left_out
        cost = -math.log1p(-min(missed, 0.99))
        # What is right on the rest of p* pays for the part that it leaves out, and no more.
        if abs(here[1] - cost) < LEVEL * cost and not models[1].outside > WORTH_SAYING:
            return (
                f"Reverse leaves out {format_number(100 * missed, 2)} % of p*: KL(p‖p*) "
                f"{format_number(here[1])} ≈ −log(1 − {format_number(missed, 2)})."
            )
        pair = [format_number(kl, 2) for kl in (there[0], here[0])]
        return f"Forward covers p* (KL(p*‖p) {pair[0]}), reverse less of it ({pair[1]})."
    leads = [_lead(*pair) for pair in zip(there, here, strict=True)]
    if leads == [1, -1]:
        return "Each run is ahead in the divergence that it descends."
    if leads == [-1, 1]:
        return "Neither run is ahead in the divergence that it descends: both are close."
    if leads == [0, 0]:
        return "The runs are level by both measures."
    ahead = "forward" if sum(leads) > 0 else "reverse"
    if 0 in leads:
        return f"By {SYMBOLS[leads.index(0)]} the runs are level, by the other {ahead} is closer."
    return f"The {ahead} run is closer by both measures."


def _lead(forward: float, reverse: float) -> int:
    """1 where the forward run's divergence is the smaller one, −1 the reverse run's, 0: level."""
    if abs(forward - reverse) <= LEVEL * max(forward, reverse):
        return 0
    return 1 if forward < reverse else -1
