"""Programs: a flow's passes as plain files that a page's engine plays, without PyTorch.

A pass is recorded below autograd, as :mod:`flowviz.flows.recording` does, and lowered: views
vanish into addresses, what is always the same is computed once and for all, neighbouring
elementwise operations become one loop, and of the hundred and fifty operators that flows use a
few kinds of kernel are left. Any other function of tensors of fixed shapes can be recorded as well.

A file is the length of its header (8 bytes, little endian), the header (JSON), and one block of
float32 or float16 numbers: those of the parameters and of the constants. It holds no code. Wherever
a size, an offset or a literal depends on the number of points n, there is a pair [a, b], a + b n;
a literal may also be {"over_n": c}, c / n.

===========  =====================================================================================
buffers      their sizes in numbers
inputs       where the caller puts what it has: views [buffer, offset, shape, strides]
noise        views that are filled with draws from N(0, 1) before each run
parameters   name, shape, buffer, and where in the block their numbers begin; those that are not
             ``trainable`` a run may move itself
constants    the same of numbers that stay
once, each   the kernels that depend on the parameters alone, and those that depend on the points
outputs      views, or lists of views
===========  =====================================================================================

The kernels: ``map`` (instructions for every element of a shape), ``sum``, ``max``, ``min``,
``product`` (over dimensions), ``matmul``, ``gather``, ``scatter``, ``cumsum``, ``search``,
``solve``, ``lu``, ``lu_solve``, and ``repeat``: kernels that are played until a tensor is 0.
"""

from flowviz.flows.programs.functions import of_density, of_draws, of_function
from flowviz.flows.programs.passes import apart, beside, learn, numbers, place, program
from flowviz.flows.programs.program import VERSION, Program

__all__ = [
    "VERSION",
    "Program",
    "apart",
    "beside",
    "learn",
    "numbers",
    "of_density",
    "of_draws",
    "of_function",
    "place",
    "program",
]
