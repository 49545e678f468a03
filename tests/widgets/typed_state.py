"""What the type checker is to know of a state: mypy reads this file, nothing runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowviz.widgets.state import Choice, Integer, PanelState, Points, Real, Text, Toggle

if TYPE_CHECKING:
    from typing_extensions import assert_type


class TypedState(PanelState):
    target = Choice("ring", ["ring", "two_moons"])
    layers = Integer(4, 1, 12)
    rate = Real(0.003, 1e-4, 0.1, log=True)
    grid = Toggle(True)
    formula = Text()
    start = Points()


def values(state: TypedState) -> None:
    assert_type(state.target, str)
    assert_type(state.layers, int)
    assert_type(state.rate, float)
    assert_type(state.grid, bool)
    assert_type(state.formula, str)
    assert_type(state.start, tuple[tuple[float, float], ...])
    assert_type(state.hide, tuple[str, ...])
    state.start = [(0, 0)]  # whatever the field can make a value of


def fields() -> None:
    assert_type(TypedState.layers, Integer)
    assert_type(TypedState.layers.max, int)
    assert_type(TypedState.layers.initial, int)
    assert_type(TypedState.target.options, dict[str, str])
