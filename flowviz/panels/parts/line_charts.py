"""Charts of divergences on the line: against the distance, over the ratio, and the witness."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flowviz.grid import Window
from flowviz.objectives.line_closed_forms import over_mixture
from flowviz.objectives.on_the_line import MEASURES, measure, quadrature, why_infinite, witness
from flowviz.targets.line import Line
from flowviz.widgets.charts import LineChart
from flowviz.widgets.charts.line import Axis, Curve, Dash

FARTHEST = 8.0
DISTANCES, IN_PASSING = 97, 33
"""Measured from 0 to FARTHEST, as all families are even; and so few while p is trained."""
AT_ONCE = 33
"""Distances: with more, what is in between does not stay in the processor's cache."""
LEAST_TOP = 3.5
"""What is larger leaves the chart, unless it is the chosen divergence's value now."""
NAMES, NAMES_APART = 0.94, 0.1
"""Curves that leave at the top have their names on them, below it, so far apart."""
DASHES: dict[str, Dash] = {"kl": "dash", "jensen_shannon": "dot", "wasserstein": "dash"}
"""The others beside the chosen divergence: one without bound, a bounded and a linear one."""
NODES = 400
RATIOS = 6.0
"""log r from minus so much to so much; what is farther counts in the last bin."""
BINS = 48
MOST_F = 2.0
"""f is seen so far up."""


class DistanceChart(LineChart):
    """The chosen divergence and three others against the distance of the centres.

    Pressed, it moves p there. Below it stands which are infinite.
    """

    def __init__(self) -> None:
        super().__init__(
            "the divergences against the distance of the centres",
            title="D against how far p is from p*",
            x=Axis(limits=(-FARTHEST, FARTHEST)),
            height=0,
        )
        self._made: Any = None
        self._shown: Any = None
        self._values: dict[str, np.ndarray] = {}

    def show_some(
        self, target: Line, model: Line, chosen: str, value: float, passing: bool = False
    ) -> None:
        """Draw the chosen divergence of these two beside others, whatever their distance is now.

        Args:
            target, model: p* and p.
            chosen: the divergence that is told apart.
            value: what it is now: the chart's top is above it.
            passing: measured at fewer distances, as p is on its way.
        """
        count = IN_PASSING if passing else DISTANCES
        apart = torch.linspace(0.0, FARTHEST, count, dtype=torch.float64)
        distances = mirrored(apart, -1)
        fixed = Line(target.family, 0.0, target.width)
        made = target.family, float(target.width), model.family, float(model.width), count
        if made != self._made:
            self._made, self._values = made, {}
        order = [*(name for name in DASHES if name != chosen), chosen]
        top = _top(value)
        key = made, chosen, top
        if key == self._shown:
            return
        self._shown = key
        slid = [Line(model.family, some[:, None], model.width) for some in apart.split(AT_ONCE)]
        for name in order:
            if name not in self._values:
                found = torch.cat([measure(name, fixed, some, nodes=NODES) for some in slid])
                self._values[name] = mirrored(found).numpy()
        places = _name_places({n: self._values[n] for n in order}, distances.numpy(), top)
        self.x_axis = Axis(self._infinite(fixed, model), limits=(-FARTHEST, FARTHEST))
        self.show_curves(
            [
                Curve(
                    MEASURES[name].symbol,
                    distances.numpy(),
                    _up_to(self._values[name], top),
                    colour="--fv-ink" if name == chosen else "--fv-muted",
                    dash="solid" if name == chosen else DASHES[name],
                    named_at=places.get(name),
                )
                for name in order
            ],
            y_limits=(0.0, top),
        )

    @staticmethod
    def _infinite(fixed: Line, model: Line) -> str:
        """Which divergences are infinite even where the centres are one, in words."""
        centred = Line(model.family, 0.0, model.width)
        found = [one.symbol for name, one in MEASURES.items() if why_infinite(name, fixed, centred)]
        return f"∞ everywhere: {', '.join(found)}" if found else ""

    def stand_at(self, distance: float) -> None:
        """Put the cursor at a distance."""
        self.cursor = max(-FARTHEST, min(FARTHEST, distance))


def mirrored(values: Tensor, sign: int = 1) -> Tensor:
    """Values ``[N]`` from 0 on as those ``[2N − 1]`` of an even function, or of an odd one (−1)."""
    return torch.cat([sign * values.flip(0)[:-1], values])


def _top(value: float) -> float:
    """The chart's top for a value: in doublings, so that it stands while p is dragged a little."""
    if not math.isfinite(value) or value <= LEAST_TOP:
        return LEAST_TOP
    return LEAST_TOP * 2 ** math.ceil(math.log2(1.02 * value / LEAST_TOP))


def _up_to(values: np.ndarray, top: float) -> np.ndarray:
    """Curves end at the chart's top: the first value beyond lies on it, those after it nowhere."""
    inside = values <= top
    near = inside | np.roll(inside, 1) | np.roll(inside, -1)
    return np.where(near & np.isfinite(values), np.minimum(values, top), np.nan)


def _name_places(
    values: Mapping[str, np.ndarray], distances: np.ndarray, top: float
) -> dict[str, float]:
    """Where the names of curves stand that leave at the top: on them, those within being higher."""
    right = distances >= 0
    x = distances[right]
    seen = {name: _up_to(y[right], top) for name, y in values.items()}
    # What becomes infinite at once has its name at its last value.
    leaving = {name: y for name, y in seen.items() if bool((y >= top).any())}

    def at(name: str, height: float) -> float:
        """The first distance at which the curve is so high."""
        y = leaving[name]
        last = int(np.flatnonzero(y >= height)[0])
        if last == 0 or np.isnan(y[last - 1]):
            return float(x[last])
        piece = slice(last - 1, last + 1)
        return float(np.interp(height, y[piece], x[piece]))

    order = sorted(leaving, key=lambda name: at(name, top))
    return {name: at(name, (NAMES - NAMES_APART * i) * top) for i, name in enumerate(order)}


class RatioChart(LineChart):
    """f(r) over the histogram of r = p*/p under p: D is the mean of the one over the other."""

    def __init__(self) -> None:
        super().__init__(
            "f(r) and the share of p at each ratio r",
            x=Axis("log r = log p*/p", limits=(-RATIOS, RATIOS)),
            y=Axis(limits=(0.0, MOST_F)),
            height=0,
        )

    def show_ratios(self, name: str, target: Line, model: Line) -> None:
        """Draw those of an f-divergence; say of another that it has none."""
        symbol = MEASURES[name].symbol
        if not MEASURES[name].f:
            self.show_words(
                f"{symbol} is no mean of f(p*/p):\nit asks how far apart points are.\n"
                "See its witness."
            )
            return
        x, weights = quadrature(target, model, NODES)
        log_q = model.log_prob(x)
        ratio = (target.log_prob(x) - log_q).nan_to_num(0.0, RATIOS, -RATIOS)
        edges = np.linspace(-RATIOS, RATIOS, BINS + 1)
        inside = ratio.clamp(-RATIOS + 1e-9, RATIOS - 1e-9).numpy()
        share, _ = np.histogram(inside, edges, weights=(log_q.exp() * weights).numpy())
        t = torch.linspace(-RATIOS, RATIOS, 241, dtype=torch.float64)
        f = MEASURES[name].kind.f(t).numpy()
        steps = np.repeat(edges, 2)[1:-1], np.repeat(share / max(share.max(), 1e-12), 2)
        self.title = f"{symbol} = mean of f(r) over p's share at r"
        off = _share_off_picture(name, target, model)
        beyond = f"; {100 * off:.0f} % of D is where f > {MOST_F:g}" if off > 0.01 else ""
        self.x_axis = Axis(f"log p*/p{beyond}", limits=(-RATIOS, RATIOS))
        self.show_curves(
            [
                Curve("p", *steps, colour="--fv-forward"),
                Curve("f(r)", t.numpy(), np.where(f <= MOST_F, f, np.nan), colour="--fv-ink"),
            ]
        )


def _share_off_picture(name: str, target: Line, model: Line) -> float:
    """How much of a divergence is from ratios at which f(r) is above the picture.

    What lies beyond its ends is counted at them.
    """
    x, weights = quadrature(target, model, NODES)
    logs = [line.log_prob(x) for line in (target, model)]
    mass = 0.5 * weights * sum(one.exp() for one in logs)
    terms = torch.where(mass > 0, over_mixture(name, target, model, x) * mass, 0.0)
    t = (logs[0] - logs[1]).nan_to_num(0.0, math.inf, -math.inf)
    off = MEASURES[name].kind.f(t.clamp(-RATIOS, RATIOS)) > MOST_F
    total = float(terms.sum())
    return float(terms[off].sum()) / total if 0 < total < math.inf else 0.0


class WitnessChart(LineChart):
    """The function by whose means p* and p are told apart."""

    def __init__(self) -> None:
        super().__init__("the witness", x=Axis("x"), height=0)

    def show_witness(self, name: str, target: Line, model: Line, window: Window) -> None:
        """Draw it where there is mass of either density."""
        x = torch.linspace(window[0], window[1], 401, dtype=torch.float64)
        g = witness(name, target, model, x)
        if name == "wasserstein":
            g = g - g.mean()
        densities = [line.log_prob(x).exp() for line in (target, model)]
        seen = torch.stack([d > 1e-3 * d.max() for d in densities]).any(0) & g.isfinite()
        if not bool(seen.any()):
            self.show_words("No finite witness: one density is 0 wherever the other is not.")
            return
        low, high = float(g[seen].min()), float(g[seen].max())
        room = 0.08 * max(high - low, 0.1)
        drawn = torch.stack([d > 1e-9 * d.max() for d in densities]).any(0)
        shown = np.where(drawn & (g >= low - room) & (g <= high + room), g, np.nan)
        self.title = _titles(name)
        explained = "x; E* is over p*, f⋆ conjugate to f"
        self.x_axis = Axis(explained if self.title.startswith("D =") else "x")
        self.show_curves(
            [Curve("", x.numpy(), shown, colour="--fv-ink")],
            x_limits=(window[0], window[1]),
            y_limits=(low - room, high + room),
        )


def _titles(name: str) -> str:
    if name == "wasserstein":
        return "Slope at most 1; its means under p* and p differ by W₁"
    if name == "mmd":
        return "Kernel of width 1; means under p* and p differ by MMD²"
    if name == "total_variation":
        return "±½; its means under p* and p differ by TV"
    return "D = max E*[g] − E[f⋆(g)], at g = f′(p*/p)"
