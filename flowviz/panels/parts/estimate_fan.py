"""Mini-batch estimates of a divergence about its value: some are negative, it never is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable

import ipywidgets as widgets
import numpy as np
import torch
from torch import Generator

from flowviz.flows import Flow
from flowviz.panels.parts.words import Words
from flowviz.targets import Target
from flowviz.widgets.charts import Curve, LineChart, Points
from flowviz.widgets.charts.line import Axis
from flowviz.widgets.layout import button, classed, stack
from flowviz.widgets.readouts import Readout, format_number

ESTIMATES = 30
QUICK = 0.4
"""So many seconds are taken without being asked for."""


class EstimateFan:
    """KL(p‖p*) of a model estimated on 30 mini-batches, a dot each, about its value on a grid.

    They are drawn where the model rests, and once a model; where that takes long, on demand.

    Args:
        draw: has :meth:`show` called on the model of the moment.

    Attributes:
        widget: the chart, what it says, and a button for other draws.
        difference: the mean of the estimates less the value on the grid, ± its standard error.
        estimates: ``[30]``, in nats; empty where there are none.
        below: how many of them are below 0.
        words: what is said of it.
    """

    def __init__(self, draw: Callable[[], None]) -> None:
        self._draw = draw
        self.chart = LineChart(
            "estimates of KL(p‖p*) of the reverse model",
            x=Axis(limits=(0.0, ESTIMATES + 1.0)),
            height=0,
        )
        self._words = Words("fv-fan-words")
        again = button(
            f"{ESTIMATES} others", self._again, help=f"Draw {ESTIMATES} other mini-batches"
        )
        self.difference = Readout(
            "Mean − grid", help=f"The mean of the {ESTIMATES} estimates less the grid's KL(p‖p*)"
        )
        said = stack(self.difference, self._words, again)
        self.widget = classed(widgets.HBox([self.chart, said]), "fv-chart-said")
        self._shown: Hashable = None
        self._round, self._asked = 0, False
        self.estimates = np.empty(0)

    @property
    def below(self) -> int:
        return int((self.estimates < 0).sum())

    @property
    def words(self) -> str:
        return self._words.text

    def rest(self) -> None:
        """The model is being trained: what was drawn is of another one."""
        self._forget("Training: the estimates are drawn where it pauses")

    def show(
        self, flow: Flow, target: Target, kl: float, batch: int, seed: int, of: Hashable
    ) -> None:
        """Draw the estimates, unless they are drawn.

        Args:
            kl: the divergence on a grid, in nats.
            batch: draws an estimate.
            of: what all of this depends on, and the same where nothing has changed.
        """
        if self._shown == (of, self._round):
            return
        self._shown = of, self._round
        generator = Generator(device=flow.like.device).manual_seed(seed + 1_000 * self._round)
        asked, self._asked = self._asked, False
        started = time.thread_time()
        found = [estimate(flow, target, batch, generator)]
        seconds = ESTIMATES * (time.thread_time() - started)
        if seconds > QUICK and not asked:
            takes = f"about {max(1, round(seconds)):,} s"
            self._forget(f"Press “{ESTIMATES} others”: with this flow that takes {takes}")
            return
        found += [estimate(flow, target, batch, generator) for _ in range(ESTIMATES - 1)]
        self.estimates = np.array(found)
        self._show(kl, batch)

    def _forget(self, words: str) -> None:
        self._shown, self.estimates = None, np.empty(0)
        self.chart.show_words(words)
        self.difference.show(None)
        self._words.show("", "info")

    def _again(self) -> None:
        self._round, self._asked = self._round + 1, True
        self._draw()

    def _show(self, kl: float, batch: int) -> None:
        ends = [0.0, ESTIMATES + 1.0]
        self.chart.title = f"Reverse model, {batch:,} draws each"
        self.chart.show_curves(
            [
                Curve("", ends, [0.0, 0.0], colour="--fv-muted", dash="dot"),
                Curve("", ends, [kl, kl], colour="--fv-ink"),
            ],
            [Points("", np.arange(1, ESTIMATES + 1), self.estimates, colour="--fv-reverse")],
        )
        error = float(self.estimates.std(ddof=1)) / math.sqrt(ESTIMATES)
        self.difference.show(float(self.estimates.mean()) - kl, error)
        self._words.show(self._sentence(kl), "info")

    def _sentence(self, kl: float) -> str:
        value = f"{format_number(kl, 2)} (line)"
        error = f"standard error {format_number(float(self.estimates.std(ddof=1)), 2)}"
        if self.below:
            return (
                f"{self.below} of {ESTIMATES} estimates are below 0. No bug: each misses {value} "
                f"by chance, {error}; only their mean is never below 0."
            )
        return (
            f"None of {ESTIMATES} estimates is below 0: {value}, {error}. Were the KL as small as "
            "that error, some would be, and that is no bug."
        )


@torch.no_grad()
def estimate(flow: Flow, target: Target, batch: int, generator: Generator) -> float:
    """The mean of log p(x) − log p*(x) over ``batch`` draws x of the flow: of mean KL(p‖p*)."""
    u = flow.base.sample(batch, generator)
    x, logabsdet = flow(u)
    return float((flow.base.log_prob(u) - logabsdet - target.log_prob(x)).double().mean())
