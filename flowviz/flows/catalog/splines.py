"""Neural spline flows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowviz.flows.autoregressive.transformers import (
    CubicSpline,
    LinearSpline,
    QuadraticSpline,
    RationalQuadraticSpline,
    Transformer,
)
from flowviz.flows.catalog.autoregressive import (
    COUPLING,
    MASKED,
    Conditioning,
    Direction,
    autoregressive,
)
from flowviz.flows.catalog.entry import SPLINE, Entry


def _both(
    name: str,
    title: str,
    reference: str,
    equation: str,
    spline: Callable[[int], Transformer],
    options: dict[str, Any] = SPLINE,
) -> tuple[Entry, Entry]:
    """The spline with each of the two conditioners."""

    def entry(kind: str, conditioning: Conditioning, direction: Direction) -> Entry:
        return autoregressive(
            f"{name}_{kind}",
            f"{title}, {kind}",
            reference,
            equation,
            lambda settings: spline(settings["bins"]),
            conditioning,
            direction,
            options=options,
        )

    return (
        entry("coupling", COUPLING, "half and half"),
        entry("autoregressive", MASKED, "data to base"),
    )


ENTRIES = (
    *_both(
        "rq_spline",
        "Neural spline",
        "Durkan, Bekasov, Murray & Papamakarios 2019",
        r"z'_i = y_k + h_k \frac{s\theta^2 + d_k\theta(1-\theta)}"
        r"{s + (d_k + d_{k+1} - 2s)\theta(1-\theta)}",
        RationalQuadraticSpline,
    ),
    *_both(
        "linear_spline",
        "Linear spline",
        "Müller, McWilliams, Rousselle, Gross & Novák 2019",
        r"z'_i = y_k + s_k (z_i - x_k)",
        LinearSpline,
        # An odd number: no jump of the density at 0, where the base has its mode.
        {**SPLINE, "bins": 7},
    ),
    *_both(
        "quadratic_spline",
        "Quadratic spline",
        "Müller, McWilliams, Rousselle, Gross & Novák 2019",
        r"z'_i = y_k + w_k \left(v_k\theta + \tfrac12 (v_{k+1} - v_k)\theta^2\right)",
        QuadraticSpline,
    ),
    *_both(
        "cubic_spline",
        "Cubic spline",
        "Durkan, Bekasov, Murray & Papamakarios 2019; Steffen 1990",
        r"z'_i = y_k + h_k\theta^2(3-2\theta) "
        r"+ w_k\theta(1-\theta)\left(d_k(1-\theta) - d_{k+1}\theta\right)",
        CubicSpline,
    ),
)
