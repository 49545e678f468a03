"""What each layer contributes, as a waterfall that ends in the sum."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike

from flowviz.widgets import esm
from flowviz.widgets.charts.base import ChartBase, packed
from flowviz.widgets.readouts import format_number


class BarChart(ChartBase):
    """Signed contributions, each from where the last one ended, and their sum.

    For log|det J| of layers: a layer that stretches is green, one that squeezes purple. With a
    ``clock``, the name of a stage's, the waterfall fills as the stage goes through the layers:
    the bar of the layer at hand is lit, those to come are faint, the sum is that of the layers
    passed, and a press on a bar goes to its layer; no message is sent.

    Args:
        label: what the chart shows, for those who do not see it.
        title: the line above it.
        height: in CSS pixels, or 0 to fill the box that the chart is put into.
        clock: as :attr:`flowviz.widgets.stage.Stage.clock`; "" for none: all the bars are full.
    """

    _esm = esm.widget(Path(__file__).with_name("bars.js"))
    title = traitlets.Unicode().tag(sync=True)
    clock = traitlets.Unicode().tag(sync=True)
    names: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    contributions = traitlets.Dict().tag(sync=True)

    def __init__(self, label: str, *, title: str = "", height: int = 220, clock: str = "") -> None:
        super().__init__(label, height=height)
        self.title, self.clock = title, clock
        self.show_contributions([], [])

    def show_contributions(
        self,
        names: Sequence[str],
        values: ArrayLike,
        *,
        film: ArrayLike | None = None,
    ) -> None:
        """Draw one bar for each name, and the sum.

        Args:
            names: of the K layers, in order.
            values: ``[K]``, their contributions; what is not finite is drawn as nothing.
            film: ``[M, K]``, the contributions at each moment of a training's film, drawn while
                the clock shows that moment.

        Raises:
            ValueError: not as many names as values, or as columns of the film.
        """
        given = np.asarray(values, dtype=np.float64)
        if given.shape != (len(names),):
            raise ValueError(f"{len(names)} names for values of shape {given.shape}")
        moments = np.asarray(np.zeros((0, len(names))) if film is None else film, dtype=np.float64)
        if moments.ndim != 2 or moments.shape[1] != len(names):
            raise ValueError(f"{len(names)} names for a film of shape {moments.shape}")
        said = ", ".join(f"{n} {format_number(v)}" for n, v in zip(names, given, strict=True))
        end = f"; sum {format_number(float(given.sum()))}" if len(names) else "nothing yet"
        self.values, self.film = given, moments
        self.rows = np.vstack([given[None], moments])
        with self.hold_sync():
            self.names = list(names)
            # The present in the first row.
            self.contributions = packed(self.rows, "contributions")
            self.label = f"{self.what}: {said}{end}"
