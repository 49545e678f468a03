"""``python -m flowviz.exactness``: every family held against automatic differentiation.

For each family a flow with random parameters, away from its start, is checked at random points:
the largest errors of its round trip, of its log-determinants in both directions, and of its
Jacobian's zeros; and how far its density is from integrating to 1. Where the log-determinant is
a random estimate, its mean over many draws is compared, in standard errors.

No arithmetic can do better than the condition of the map times its rounding, and so that is what
the errors are judged by; a map too steep for two digits to survive is not judged. Nor is an
integral whose grid is too ``coarse`` for the density.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from flowviz import arguments
from flowviz.flows import Flow, catalog, check, jacobian

DTYPES = {"float64": torch.float64, "float32": torch.float32}
SLACK = 100.0
"""What a flow may lose beyond rounding times condition; its stated tolerance comes on top."""

DRAWS = 400
CELLS = 300


@dataclass(frozen=True)
class Row:
    """What was found of one family.

    Attributes:
        title: the family's.
        dim: D.
        round_trip, logabsdet, inverse_logabsdet, structure: the largest errors; the log-dets
            are None where they are estimates.
        deviation: of an estimated log-det, in standard errors; None where it is exact.
        mass: ∫p − 1 on a wide grid; None except in the plane, NaN where the grid is too coarse.
        allowed: the largest error that passes, from the condition of the map.
        seconds: what the check took.
    """

    title: str
    dim: int
    round_trip: float
    logabsdet: float | None
    inverse_logabsdet: float | None
    structure: float
    deviation: float | None
    mass: float | None
    allowed: float
    seconds: float

    @property
    def judged(self) -> bool:
        """Whether the map is well-conditioned enough for its errors to tell."""
        return self.allowed <= 3e-2

    @property
    def passed(self) -> bool:
        """Whether every number is within its bound."""
        if not self.judged:
            return True
        errors = (self.round_trip, self.logabsdet, self.inverse_logabsdet, self.structure)
        return (
            all(e <= self.allowed for e in errors if e is not None)
            and (self.deviation is None or self.deviation <= 4)
            and (self.mass is None or not abs(self.mass) > 1e-2)
        )


def rows(
    names: list[str], *, dim: int = 2, scale: float = 0.1, dtype: str = "float64", seed: int = 0
) -> Iterator[Row]:
    """Check the named families one after the other. Torch's global generator is left as it was.

    Args:
        names: of the catalogue.
        dim: D; a family that does not take it is checked in its smallest.
        scale: standard deviation of the random parameters.
        dtype: ``"float64"`` or ``"float32"``.
        seed: of parameters and points.

    Raises:
        ValueError: an unknown family or dtype, or a number that is not allowed.
    """
    arguments.whole("dim", dim, 1)
    arguments.positive("scale", scale)
    arguments.named("dtype", dtype, DTYPES)
    arguments.whole("seed", seed, 0)
    for name in names:
        # Not around the yield: what the caller draws between two rows is the caller's own.
        with torch.random.fork_rng(devices=[]):
            row = _row(name, dim, scale, DTYPES[dtype], seed)
        yield row


def _row(name: str, dim: int, scale: float, dtype: torch.dtype, seed: int) -> Row:
    entry = catalog.entry(name)
    started = time.perf_counter()
    torch.manual_seed(seed)
    flow = catalog.make(name, dim=dim if entry.allows(dim) else entry.min_dim, seed=seed)
    for parameter in flow.parameters():
        parameter.data.normal_(0, scale)
    flow = flow.to(dtype).eval()
    z = 2 * torch.randn(64, flow.dim, dtype=dtype)
    result = check(flow.transform, z)
    exact = entry.exact_logabsdet
    rounding = SLACK * torch.finfo(dtype).eps
    allowed = _condition(flow, z) * (rounding + flow.transform.tolerance)
    return Row(
        title=entry.title,
        dim=flow.dim,
        round_trip=result.round_trip,
        logabsdet=result.logabsdet if exact else None,
        inverse_logabsdet=result.inverse_logabsdet if exact else None,
        structure=result.structure,
        deviation=None if exact else _deviation(flow, z[:4], allowed),
        mass=_mass(flow) if exact and flow.dim == 2 else None,
        allowed=allowed,
        seconds=time.perf_counter() - started,
    )


def _condition(flow: Flow, z: Tensor) -> float:
    """How much the worst of the points loses: stretch there and back, times its size."""
    J = jacobian(flow.transform, z).detach().double()
    sizes = torch.linalg.matrix_norm(J, ord=torch.inf).clamp_min(1)
    inverse, singular = torch.linalg.inv_ex(J)
    back = torch.linalg.matrix_norm(inverse, ord=torch.inf).clamp_min(1)
    losses = sizes * back * (1 + z.abs().amax(-1))
    # Where the stretch is 0 or infinite in this dtype, nothing survives.
    return float(torch.where((singular == 0) & losses.isfinite(), losses, torch.inf).max())


@torch.no_grad()
def _mass(flow: Flow) -> float:
    """∫p − 1 by the midpoint rule, on a window that holds nearly all of the flow's draws.

    The share of draws outside is added. NaN where half a cell, along an axis, changes the density
    of more than 1 of 1000 draws by a factor e: of what is so thin the rule sees nothing, or too
    much.
    """
    x = flow.sample(4000)
    low, high = x.quantile(1e-3, 0), x.quantile(1 - 1e-3, 0)
    margin = 0.3 * (high - low)
    low, high = low - margin, high + margin
    step = (high - low) / CELLS
    index = torch.arange(CELLS, dtype=x.dtype) + 0.5
    inside = ((x >= low) & (x <= high)).all(-1)
    here = flow.log_prob(x[inside])
    for half_a_cell in torch.diag(step / 2):
        moved = (flow.log_prob(x[inside] + half_a_cell) - here).abs()
        if (~(moved <= 1)).double().mean() > 1e-3:
            return math.nan
    axes = [low[i] + index * step[i] for i in (0, 1)]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    mass = flow.log_prob(grid).double().exp().sum() * step.prod()
    return float(mass - inside.double().mean())


def _deviation(flow: Flow, z: Tensor, allowed: float) -> float:
    """The mean of many estimates of the log-det against its true value, in standard errors.

    What an exact log-det may err, ``allowed``, is added to the standard error.
    """
    J = jacobian(flow.transform, z).detach()
    many = z.repeat_interleave(DRAWS, 0)
    with torch.no_grad():
        estimates = flow(many)[1].reshape(len(z), DRAWS)
    gap = estimates.mean(-1) - torch.linalg.slogdet(J).logabsdet
    error = estimates.std(-1) / DRAWS**0.5
    # An estimate without variance, as Hutchinson's in D = 1, is off by what the solve is.
    return float((gap.abs() / (error + allowed)).max())


def _cell(value: float | None) -> str:
    if value is None:
        return "–"
    return "coarse" if math.isnan(value) else f"{value:.0e}"


def _number(
    kind: Callable[[str], float], words: str, allowed: Callable[[float], bool]
) -> Callable[[str], float]:
    """Reads an option, or says in ``words`` what is allowed."""

    def read(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        if not allowed(number):
            raise argparse.ArgumentTypeError(f"{text!r} is not allowed: {words}")
        return number

    return read


_DIM = _number(int, "a whole number ≥ 1", lambda dim: dim >= 1)
# Beyond 1 nearly every map is too steep to judge.
_SCALE = _number(float, "a number > 0 and ≤ 1", lambda scale: 0 < scale <= 1)
_SEED = _number(int, "a whole number from 0 to 2⁶³ − 1", lambda seed: 0 <= seed < 2**63)


def main(argv: list[str] | None = None) -> int:
    """Print the table; return 1 if a family is off, else 0."""
    parser = argparse.ArgumentParser(prog="python -m flowviz.exactness", description=__doc__)
    parser.add_argument("families", nargs="*", help="which; all by default")
    parser.add_argument(
        "--dim",
        type=_DIM,
        default=2,
        help="number of coordinates (default 2); a family that does not take it is checked in its "
        "smallest",
    )
    parser.add_argument(
        "--scale", type=_SCALE, default=0.1, help="of the random parameters (default 0.1)"
    )
    parser.add_argument("--dtype", choices=DTYPES, default="float64")
    parser.add_argument("--seed", type=_SEED, default=0, help="of parameters and points")
    options = parser.parse_args(argv)
    for name in options.families:
        try:
            catalog.entry(name)
        except ValueError as error:
            parser.error(str(error))
    names = options.families or catalog.names()
    width = max(len(catalog.entry(name).title) for name in names)
    columns = ("T⁻¹T − 1", "log|det|", "inverse", "zeros", "s.e. off", "∫p − 1", "seconds")
    print(f"{'family':{width}}  D  " + "  ".join(f"{c:>8}" for c in columns))
    held = steep = 0
    settings = {key: getattr(options, key) for key in ("dim", "scale", "dtype", "seed")}
    for name in names:
        try:
            (row,) = rows([name], **settings)
        except (ArithmeticError, RuntimeError) as error:  # torch's LinAlgError among the latter
            print(f"{catalog.entry(name).title:{width}}  failed: {error}", flush=True)
            continue
        numbers = [row.round_trip, row.logabsdet, row.inverse_logabsdet, row.structure]
        cells = ["nan" if n is not None and math.isnan(n) else _cell(n) for n in numbers]
        cells.append("–" if row.deviation is None else f"{row.deviation:.1f}")
        cells += [_cell(row.mass), f"{row.seconds:.1f}"]
        print(
            f"{row.title:{width}}  {row.dim}  " + "  ".join(f"{c:>8}" for c in cells),
            ("" if row.passed else " OFF") if row.judged else " too steep to judge",
            flush=True,
        )
        held += row.judged and row.passed
        steep += not row.judged
    unjudged = f", {steep} too steep to judge" if steep else ""
    print(f"{held} of {len(names)} families hold{unjudged}.")
    return 0 if held + steep == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
