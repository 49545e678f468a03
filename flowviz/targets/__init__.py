"""Targets: two-dimensional distributions that flows are fitted to.

>>> from flowviz import targets
>>> target = targets.make("two_moons")
>>> x = target.sample(1000)      # [1000, 2]
>>> target.log_prob(x).shape     # [1000]
torch.Size([1000])
"""

from __future__ import annotations

from flowviz.targets.catalog import make, names
from flowviz.targets.formula import FormulaError, from_formula
from flowviz.targets.points import from_csv, from_points
from flowviz.targets.table import read_table
from flowviz.targets.target import Slice, Target

__all__ = [
    "FormulaError",
    "Slice",
    "Target",
    "from_csv",
    "from_formula",
    "from_points",
    "make",
    "names",
    "read_table",
]
