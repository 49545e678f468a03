"""How the samples of two models are shared out among the target's modes, beside its own mass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from flowviz.targets import Target
from flowviz.targets.mixtures import GaussianMixture
from flowviz.widgets.charts import Chart
from flowviz.widgets.layout import stack
from flowviz.widgets.readouts import format_number

NAMES = ("target p*", "forward", "reverse")
COLOURS = ("--fv-muted", "--fv-forward", "--fv-reverse")


class ModeShares:
    """Three bars a mode: the share of p*, of the forward and of the reverse model.

    A sample counts for a mode by the share of its component in p* there: where modes lie apart it
    counts for the nearest.

    Attributes:
        widget: the chart.
        shares: ``[3, M]``, each row of sum 1; M is 0 where the target has no modes.
        errors: ``[3, M]``, standard errors; 0 for the target's, which are its weights.
    """

    def __init__(self) -> None:
        self.chart = Chart("the share of samples at each mode", height=0)
        self.widget = stack(self.chart)
        self.shares = self.errors = np.empty((3, 0))

    def show(self, target: Target, samples: Sequence[Tensor]) -> None:
        """Count the samples ``[N, 2]`` of both models, and show the bars."""
        if not isinstance(target, GaussianMixture) or target.modes is None:
            self.shares = self.errors = np.empty((3, 0))
            self.chart.show_words("This target has no modes to count at; Eight and Grid have")
            return
        counts = [target.responsibilities(x[x.isfinite().all(-1)]).cpu().double() for x in samples]
        self.shares = np.stack([target.weights.numpy(), *(one.mean(0).numpy() for one in counts)])
        spreads = [(one.std(0) / len(one) ** 0.5).numpy() for one in counts]
        self.errors = np.stack([np.zeros_like(self.shares[0]), *spreads])
        self._draw()

    def _draw(self) -> None:
        places = np.arange(1, self.shares.shape[1] + 1)
        percent, errors = 100 * self.shares, 100 * self.errors
        traces: list[dict[str, Any]] = []
        for i, (name, colour) in enumerate(zip(NAMES, COLOURS, strict=True)):
            trace: dict[str, Any] = {
                "type": "bar",
                "name": name,
                "x": places.astype(np.int32),
                "y": percent[i].astype(np.float32),
                "marker": {"color": colour},
                "hovertemplate": f"mode %{{x}}, {name}: %{{y:.3~g}} %",
            }
            if i:
                trace["error_y"] = {
                    "type": "data",
                    "array": errors[i].astype(np.float32),
                    "color": "--fv-ink",
                    "thickness": 1,
                    "width": 0,
                }
                trace["hovertemplate"] += " ± %{error_y.array:.2~g}"
            trace["hovertemplate"] += "<extra></extra>"
            traces.append(trace)
        said = "; ".join(
            f"{name} " + ", ".join(format_number(round(value, 2), 2) for value in row)
            for name, row in zip(NAMES, percent, strict=True)
        )
        layout = {
            "title": {"text": "Share of samples at each mode in %, of p* grey"},
            "barmode": "group",
            "bargap": 0.25,
            "xaxis": {"dtick": 1, "showgrid": False},
            "yaxis": {"rangemode": "tozero", "nticks": 5},
        }
        self.chart.show(traces, layout, label=f"{self.chart.what}, in %: {said}")
