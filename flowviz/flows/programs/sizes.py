"""Two recordings of one pass, on different numbers of points, as a program for any number."""

from __future__ import annotations

from typing import Any

import numpy as np

from flowviz.flows.programs.lowering import Unlowered
from flowviz.flows.programs.program import Program

FEW, MORE = 37, 54
"""Points in the two: no width of a network, so that equal sizes are equal by nature."""


def for_any_number(few: Program, more: Program) -> Program:
    """The program of any number of points n: what differs between the two is written [a, b].

    A factor c / n, of a mean, is written {"over_n": c}.

    Raises:
        Unlowered: they differ by more than sizes a + b n.
    """
    if not np.array_equal(few.block, more.block, equal_nan=True):
        raise Unlowered("a table in the pass depends on the number of points")
    return Program(_both(few.header, more.header), few.block)


def _both(few: Any, more: Any) -> Any:
    if isinstance(few, dict) and isinstance(more, dict) and few.keys() == more.keys():
        return {key: _both(few[key], more[key]) for key in few}
    if isinstance(few, list) and isinstance(more, list) and len(few) == len(more):
        return [_both(a, b) for a, b in zip(few, more, strict=True)]
    if few == more:
        return few
    if type(few) is type(more) is int:
        slope, rest = divmod(more - few, MORE - FEW)
        start = few - slope * FEW
        if rest == 0:
            return [start, slope]
    if type(few) is type(more) is float:
        share = np.float32(few * FEW)
        if share == np.float32(more * MORE):
            return {"over_n": float(share)}
    raise Unlowered(f"the pass is another for another number of points ({few!r}, {more!r})")
