"""Divergences of two densities on the line, by quadrature in float64 (section 2.3.4).

All of them carry the gradient in the parameters of either density, the boundary terms of bounded
densities included: the nodes move with the edges.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from flowviz import arguments
from flowviz.objectives.f_divergences import FDivergence, divergence
from flowviz.targets.line import Line

NODES = 4_000
"""In each piece of the line between edges, by default."""
BANDWIDTH = 1.0
"""Of the Gaussian kernel of the MMD, in units of x."""
FREQUENCIES = 600
FARTHEST = 1e7
"""Tails are integrated so many widths far."""
ROUNDING = 1e-9
"""Edges that are as close are one."""


@dataclass(frozen=True)
class Measure:
    """One way to say how far p is from p*.

    Attributes:
        name: in the registry.
        symbol: as it is written.
        title: its name in full.
        formula: what it is, F and F* the distribution functions and k the kernel of ``BANDWIDTH``.
        f: the name of the f-divergence that it is; "" for none.
        needs: what p has to cover for it to be finite: "p*" (p > 0 wherever p* is), "p", or "".
    """

    name: str
    symbol: str
    title: str
    formula: str
    f: str = ""
    needs: str = ""

    @property
    def kind(self) -> FDivergence:
        """The f-divergence that it is.

        Raises:
            ValueError: it is none.
        """
        return divergence(self.f)


MEASURES = {
    one.name: one
    for one in (
        Measure("kl", "KL(p*‖p)", "forward Kullback–Leibler", "∫ p* log(p*/p)", f="kl", needs="p*"),
        Measure(
            "reverse_kl",
            "KL(p‖p*)",
            "reverse Kullback–Leibler",
            "∫ p log(p/p*)",
            f="reverse_kl",
            needs="p",
        ),
        Measure(
            "jensen_shannon",
            "JS",
            "Jensen–Shannon",
            "½ KL(p*‖m) + ½ KL(p‖m), m = (p* + p)/2",
            f="jensen_shannon",
        ),
        Measure(
            "squared_hellinger",
            "H²",
            "squared Hellinger",
            "½ ∫ (√p* − √p)²",
            f="squared_hellinger",
        ),
        Measure("total_variation", "TV", "total variation", "½ ∫ |p* − p|", f="total_variation"),
        Measure(
            "chi_squared",
            "χ²",
            "Pearson's chi-squared",
            "∫ (p* − p)²/p",
            f="chi_squared",
            needs="p*",
        ),
        Measure("wasserstein", "W₁", "Wasserstein", "∫ |F* − F|"),
        Measure(
            "mmd",
            "MMD²",
            "maximum mean discrepancy",
            "E k(x*, x*′) + E k(x, x′) − 2 E k(x*, x), k(x, y) = exp(−(x − y)²/2)",
        ),
    )
}
"""By name; TV is an f-divergence and an integral probability metric."""


def measure(name: str, target: Line, model: Line, *, nodes: int = NODES) -> Tensor:
    """A divergence of p* and p.

    Args:
        name: one of ``MEASURES``. MMD² is that of a Gaussian kernel of width ``BANDWIDTH``.
        target, model: p* and p.
        nodes: of the midpoint rule, in each piece of the line.

    Returns:
        The value, ``[]``, or ``[B]`` of parameters ``[B, 1]``; ∞ where it is.

    Raises:
        ValueError: an unknown name.
    """
    arguments.named("measure", name, MEASURES)
    if name == "mmd":
        return _mmd(target, model)
    x, weights = quadrature(target, model, nodes)
    if name == "wasserstein":
        return _integral_of_size(target.cdf(x) - model.cdf(x), x, weights, nodes)
    if name == "total_variation":
        apart = target.log_prob(x).exp() - model.log_prob(x).exp()
        return 0.5 * _integral_of_size(apart, x, weights, nodes)
    terms = _terms(name, target.log_prob(x), model.log_prob(x))
    value = torch.where(weights > 0, terms * weights, 0.0).sum(-1)
    infinite = _uncovered(name, target, model) | _thin(name, target, model)
    return torch.where(infinite.reshape(value.shape), math.inf, value)


def gradient(name: str, target: Line, model: Line, *, nodes: int = NODES) -> tuple[float, ...]:
    """The divergence with its derivatives in the model's centre and in the log of its width.

    Returns:
        Value, derivative in the centre, derivative in log width. The derivatives are NaN where the
        value is infinite, and for f-divergences where edges of both densities coincide: there they
        differ from side to side.
    """
    return tuple(float(one) for one in slopes(name, target, model, nodes=nodes))


def slopes(
    name: str, target: Line, model: Line, *, nodes: int = NODES
) -> tuple[Tensor, Tensor, Tensor]:
    """The three numbers of :func:`gradient` as tensors ``[]``; no number is looked at."""
    with torch.enable_grad():
        centre = model.centre.detach().clone().requires_grad_()
        log_width = model.width.detach().log().requires_grad_()
        moved = Line.known(model.family, centre, log_width.exp())
        value = measure(name, target, moved, nodes=nodes).reshape(())
        found = torch.autograd.grad(value, [centre, log_width])
    known = value.detach().isfinite()
    if MEASURES[name].f:
        for a in target.edges:
            for b in model.edges:
                known = known & ((a - b).abs() >= ROUNDING)
    along, across = (torch.where(known, one, math.nan) for one in found)
    return value.detach(), along, across


def why_infinite(name: str, target: Line, model: Line) -> str:
    """Why the divergence is infinite, in words; "" where it is not."""
    if bool(_uncovered(name, target, model)):
        lacks, has = ("p", "p*") if MEASURES[name].needs == "p*" else ("p*", "p")
        return f"{has} has mass where {lacks} has none"
    if bool(_thin(name, target, model)):
        return "p is too thin in the tails, where p*²/p does not fall"
    return ""


def witness(name: str, target: Line, model: Line, x: Tensor) -> Tensor:
    """The function g(x) ``[N]`` whose means under p* and p tell the two apart.

    Of an f-divergence it is f′(p*/p), the critic of the variational bound; of W₁ a function of
    slope at most 1 whose means differ by W₁ (0 at the first x, which must be in ascending order);
    of MMD² the difference of the kernel means, whose own means differ by MMD².
    """
    if name == "mmd":
        w, weights = _frequencies()
        phase = (line.centre for line in (target, model))
        sizes = (line.kind.characteristic(line.width * w) for line in (target, model))
        parts = [
            size * torch.cos(w * (x.unsqueeze(-1) - at))
            for size, at in zip(sizes, phase, strict=True)
        ]
        return ((parts[0] - parts[1]) * weights).sum(-1)
    if name == "wasserstein":
        slope = torch.sign(model.cdf(x) - target.cdf(x))
        steps = 0.5 * (slope[1:] + slope[:-1]) * x.diff()
        return torch.cat([torch.zeros_like(x[:1]), steps.cumsum(0)])
    return MEASURES[name].kind.witness(target.log_prob(x) - model.log_prob(x))


def _integral_of_size(g: Tensor, x: Tensor, weights: Tensor, nodes: int) -> Tensor:
    """∫|g| of values ``[…, M]``, with g linear where it changes its sign between two nodes.

    Without that its derivative would jump whenever such a place passes a node.
    """
    total = (g.abs() * weights).sum(-1)
    g, x = (one.unflatten(-1, (-1, nodes)) for one in torch.broadcast_tensors(g, x))
    left, right, step = g[..., :-1], g[..., 1:], x.diff(dim=-1).abs()
    changes = left * right < 0
    sizes = torch.where(changes, left.abs() + right.abs(), 1.0)
    return total - torch.where(changes, -left * right * step / sizes, 0.0).sum((-2, -1))


def _terms(name: str, log_p: Tensor, log_q: Tensor) -> Tensor:
    """q f(p/q) of two log-densities, whichever way does not overflow; 0 where both are 0."""
    nowhere = log_p.isneginf() & log_q.isneginf()
    log_p, log_q = (torch.where(nowhere, 0.0, one) for one in (log_p, log_q))
    kind, t = MEASURES[name].kind, log_p - log_q
    if name == "chi_squared":
        # p²/q may be finite where p/q is not; near p = q its terms cancel.
        apart = torch.exp(2 * log_p - log_q) - 2 * log_p.exp() + log_q.exp()
        near = kind.f(t.clamp(-1.0, 1.0)) * log_q.exp()
        return torch.where(nowhere, 0.0, torch.where(t.abs() < 1, near, apart))
    # Clamped, as the branch that is not taken must not overflow in the gradient.
    above = kind.f_over_r(t.clamp_min(0.0)) * log_p.exp()
    below = kind.f(t.clamp_max(0.0)) * log_q.exp()
    return torch.where(nowhere, 0.0, torch.where(t > 0, above, below))


def quadrature(target: Line, model: Line, nodes: int) -> tuple[Tensor, Tensor]:
    """Nodes x ``[…, M]`` and weights for integrals over both densities.

    Between the edges of bounded densities the midpoint rule; in the tails the same rule after
    x = end ± a sinh(t), which converges exponentially for what is smooth over the whole line.
    """
    unit = (torch.arange(nodes, dtype=torch.float64) + 0.5) / nodes
    edges = [torch.atleast_1d(edge) for edge in (*target.edges, *model.edges)]
    if edges:
        ends = _in_order(list(torch.broadcast_tensors(*edges)))
    else:
        middle = 0.5 * (target.centre + model.centre)
        ends = [torch.atleast_1d(middle.detach())]
    pieces = [
        (low + (high - low) * unit, (high - low) / nodes + 0 * unit) for low, high in pairwise(ends)
    ]
    if len(edges) < 4:
        width = target.width + model.width
        scale, most = torch.atleast_1d(0.5 * width.detach()), math.asinh(FARTHEST)
        out, weight = scale * torch.sinh(most * unit), scale * torch.cosh(most * unit)
        pieces += [(end + way * out, weight * (most / nodes)) for end, way in _tails(ends)]
    batch = torch.broadcast_shapes(*(part.shape[:-1] for piece in pieces for part in piece))
    x, weights = (
        torch.cat([part.expand(*batch, nodes) for part in parts], -1)
        for parts in zip(*pieces, strict=True)
    )
    return x, weights


def _in_order(edges: list[Tensor]) -> list[Tensor]:
    """The edges of one density, or of two, from left to right."""
    if len(edges) == 2:
        return edges
    low, high, other_low, other_high = edges
    inner = torch.maximum(low, other_low), torch.minimum(high, other_high)
    outer = torch.minimum(low, other_low), torch.maximum(high, other_high)
    return [outer[0], torch.minimum(*inner), torch.maximum(*inner), outer[1]]


def _tails(ends: list[Tensor]) -> list[tuple[Tensor, int]]:
    return [(ends[0], -1), (ends[-1], 1)]


def _frequencies() -> tuple[Tensor, Tensor]:
    """Of the kernel exp(−(x − y)²/(2h²)) = E cos(ω(x − y)), ω ~ N(0, 1/h²): nodes and weights."""
    most = 8 / BANDWIDTH
    w = most * (torch.arange(FREQUENCIES, dtype=torch.float64) + 0.5) / FREQUENCIES
    density = torch.exp(-0.5 * (w * BANDWIDTH).square()) * BANDWIDTH / math.sqrt(2 * math.pi)
    return w, 2 * density * most / FREQUENCIES


def _mmd(target: Line, model: Line) -> Tensor:
    """E |φ*(ω) − φ(ω)|² over the kernel's frequencies, φ the characteristic functions."""
    w, weights = _frequencies()
    theirs, ours = (line.kind.characteristic(line.width * w) for line in (target, model))
    apart = target.centre - model.centre
    squares = (theirs - ours).square() + 2 * theirs * ours * (1 - torch.cos(w * apart))
    return (squares * weights).sum(-1)


def _uncovered(name: str, target: Line, model: Line) -> Tensor:
    """Whether one density has mass where the other has none and may have none."""
    needs = MEASURES[name].needs
    wide, narrow = (model, target) if needs == "p*" else (target, model)
    if not needs or not wide.edges:
        return torch.zeros((), dtype=torch.bool).expand(_shape(target, model))
    if not narrow.edges:
        return torch.ones((), dtype=torch.bool).expand(_shape(target, model))
    inside, outside = narrow.edges, wide.edges
    beyond = (inside[0] < outside[0] - ROUNDING) | (inside[1] > outside[1] + ROUNDING)
    return beyond.expand(_shape(target, model))


def _thin(name: str, target: Line, model: Line) -> Tensor:
    """Whether p*²/p does not fall in the tails."""
    theirs, ours = target.kind.tail, model.kind.tail
    if name != "chi_squared" or math.isinf(ours) or theirs == 0:
        return torch.zeros((), dtype=torch.bool).expand(_shape(target, model))
    if math.isinf(theirs):
        return torch.ones((), dtype=torch.bool).expand(_shape(target, model))
    thin = 2 * (ours * model.width).square() <= (theirs * target.width).square()
    return thin.expand(_shape(target, model))


def _shape(*lines: Line) -> torch.Size:
    return torch.broadcast_shapes(*(v.shape for line in lines for v in (line.centre, line.width)))
