"""Explicit Runge–Kutta methods, by their Butcher tableaus."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tableau:
    """kᵢ = g(t + cᵢ h, z + h Σ_{j<i} aᵢⱼ kⱼ),  z(t + h) ≈ z + h Σᵢ bᵢ kᵢ.

    Attributes:
        title: what layer strips call it.
        order: p; the error of a solve with steps of size h is O(hᵖ).
        a: row i holds aᵢ₁, …, aᵢ,ᵢ₋₁.
        b, c: as in the equation.
        error: bᵢ less the weights of an embedded method of order p − 1, with one more for the
            field at the end of the step; empty where there is none, and steps cannot adapt.
        bend: the third divided difference of these slopes, O(h³), at c = 0, 3/10, 4/5 and 1.
    """

    title: str
    order: int
    a: tuple[tuple[float, ...], ...]
    b: tuple[float, ...]
    c: tuple[float, ...]
    error: tuple[float, ...] = ()
    bend: tuple[float, ...] = ()


EULER = Tableau("Euler", 1, ((),), (1.0,), (0.0,))

MIDPOINT = Tableau("midpoint", 2, ((), (1 / 2,)), (0.0, 1.0), (0.0, 1 / 2))

RK4 = Tableau(
    "RK4",
    4,
    ((), (1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0)),
    (1 / 6, 1 / 3, 1 / 3, 1 / 6),
    (0.0, 1 / 2, 1 / 2, 1.0),
)

# Dormand & Prince 1980; the seventh stage, of weight 0, is the first one of the next step.
DORMAND_PRINCE = Tableau(
    "Dormand–Prince",
    5,
    (
        (),
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    ),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
    (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0),
    (
        35 / 384 - 5179 / 57600,
        0.0,
        500 / 1113 - 7571 / 16695,
        125 / 192 - 393 / 640,
        -2187 / 6784 + 92097 / 339200,
        11 / 84 - 187 / 2100,
        -1 / 40,
    ),
    (-25 / 6, 0.0, 200 / 21, -25 / 2, 0.0, 0.0, 50 / 7),
)

TABLEAUS = {
    "euler": EULER,
    "midpoint": MIDPOINT,
    "rk4": RK4,
    "dormand_prince": DORMAND_PRINCE,
}
