"""What kernels each operator of torch comes to, one file for each kind of operator."""

from __future__ import annotations

from flowviz.flows.programs.lowering import Rule
from flowviz.flows.programs.operators import (
    convolutions,
    elementwise,
    indexing,
    linear_algebra,
    parts,
    products,
    reductions,
)

RULES: dict[object, Rule] = {
    **elementwise.RULES,
    **reductions.RULES,
    **products.RULES,
    **convolutions.RULES,
    **parts.RULES,
    **indexing.RULES,
    **linear_algebra.RULES,
}
"""By operator."""
