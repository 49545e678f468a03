"""Neural spline flows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Generator

from flowviz.flows.autoregressive.transformers import (
    CubicSpline,
    LinearSpline,
    QuadraticSpline,
    RationalQuadraticSpline,
    Transformer,
)
from flowviz.flows.bijection import Inverse
from flowviz.flows.catalog.build import coupling, masked_from_data
from flowviz.flows.catalog.entry import SPLINE, Entry, Layers

Make = Callable[[int], Transformer]


def _coupling(make: Make, dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    """Half of the layers the other way round, those next to the base.

    Either kind is as expressive. With all of them from base to data maximum likelihood takes
    several times the steps, with all from data to base the reverse KL loses modes; with half and
    half both do as well as the better of the two.
    """
    spline = make(settings["bins"])
    made: Layers = [coupling(spline, dim, layer, settings) for layer in range(layers)]
    return [Inverse(layer) if 2 * i < layers - 1 else layer for i, layer in enumerate(made)]


def _autoregressive(
    make: Make, dim: int, layers: int, settings: dict[str, Any], _: Generator
) -> Layers:
    spline = make(settings["bins"])
    return masked_from_data(spline, dim, layers, settings)


def _both(
    name: str,
    title: str,
    reference: str,
    equation: str,
    make: Make,
    options: dict[str, Any] = SPLINE,
) -> tuple[Entry, Entry]:
    """The spline with each of the two conditioners."""
    return (
        Entry(
            name=f"{name}_coupling",
            title=f"{title}, coupling",
            family="Autoregressive: coupling",
            reference=reference,
            equation=equation,
            fast_forward=True,
            fast_inverse=True,
            jacobian="block triangular",
            determinant_cost="O(D)",
            inverse_cost="closed, 1 pass",
            build=partial(_coupling, make),
            options=options,
            min_dim=2,
        ),
        Entry(
            name=f"{name}_autoregressive",
            title=f"{title}, autoregressive",
            family="Autoregressive: masked",
            reference=reference,
            equation=equation,
            fast_forward=False,
            fast_inverse=True,
            jacobian="triangular",
            determinant_cost="O(D)",
            inverse_cost="closed, D passes",
            build=partial(_autoregressive, make),
            options=options,
        ),
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
