"""What must hold of every family: the checks shared by the suite and by the mutation tests.

Each ``assert_*`` raises AssertionError with numbers. Errors are judged against the condition of the
map: where T⁻¹ stretches by κ, no arithmetic of unit roundoff ε can do better than about ε κ.
:data:`SLACK` is what a layer may lose beyond that, in either dtype: the worst seen is 8, and in
float64 32 ε κ is below 1e-9 for every condition up to 10⁵.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from flowviz.flows import Bijection, Flow, Inverse, catalog, check, jacobian
from flowviz.flows.autoregressive.conditioners import Conditioner
from flowviz.objectives import forward_kl, reverse_kl

SLACK = 32.0
DIMS = (1, 2, 3, 8)
NARROW: dict[str, Any] = {"hidden": (16, 16)}


def options_of(name: str, **more: Any) -> dict[str, Any]:
    """Small networks, for the options that the family has."""
    allowed = catalog.entry(name).options
    return {key: value for key, value in {**NARROW, **more}.items() if key in allowed}


def cases() -> list[tuple[str, int]]:
    """Every family in every dimension that it allows."""
    return [(name, d) for name in catalog.names() for d in DIMS if catalog.entry(name).allows(d)]


def dims_of(name: str, *wanted: int) -> list[int]:
    """Those of the dimensions that the family takes; its smallest where it takes none of them."""
    entry = catalog.entry(name)
    return [dim for dim in wanted if entry.allows(dim)] or [entry.min_dim]


def exact(names: list[str]) -> list[str]:
    """Those whose log-determinant is exact; the others have tests of their own."""
    return [name for name in names if catalog.entry(name).exact_logabsdet]


def random_flow(
    name: str,
    dim: int = 2,
    scale: float = 1.0,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    layers: int = 2,
    **more: Any,
) -> Flow:
    """A flow in evaluation mode, every parameter drawn from N(0, scale²): far from its start."""
    flow = catalog.make(name, dim=dim, layers=layers, seed=seed, **options_of(name, **more))
    return randomise(flow, scale, seed).to(dtype)


def randomise(flow: Flow, scale: float, seed: int = 0) -> Flow:
    generator = torch.Generator().manual_seed(1000 + seed)
    with torch.no_grad():
        for parameter in flow.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(scale * noise.to(parameter.dtype))
    return flow.eval()


def points(n: int, dim: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """N(0, 4 I): inside the splines' bound and outside it."""
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(n, dim, generator=generator)).to(dtype)


# The map and its log-determinant


def assert_layer(layer: Bijection, z: Tensor) -> None:
    """Round trips, log-dets and cancellation of one layer at ``z [N, D]``, in z's dtype."""
    ε = max(torch.finfo(z.dtype).eps, layer.tolerance)
    with torch.no_grad():
        image, logabsdet = layer(z)
        back, inverse_logabsdet = layer.inverse(image)
        again, _ = layer(back)
    assert torch.isfinite(image).all() and torch.isfinite(logabsdet).all(), "not finite"
    assert torch.isfinite(back).all() and torch.isfinite(inverse_logabsdet).all(), "not finite"

    # Condition numbers from float64, whatever the dtype under test.
    layer64, z64, image64 = layer.double(), z.double(), image.double()
    J, steepness = jacobian(layer64, z64).detach(), _steepness(layer64, z64)
    inverse_J = jacobian(layer64.inverse, image64).detach()
    inverse_steepness = _steepness(layer64.inverse, image64)
    layer.to(z.dtype)
    size = 1 + z64.abs().amax(-1) + image64.abs().amax(-1)
    stretch = torch.linalg.matrix_norm(torch.linalg.inv(J), ord=math.inf).clamp_min(1) * size
    both = stretch * torch.linalg.matrix_norm(J, ord=math.inf).clamp_min(1)
    turn, inverse_turn = size * steepness, size * inverse_steepness

    L, inverse_L = torch.linalg.slogdet(J).logabsdet, torch.linalg.slogdet(inverse_J).logabsdet
    _within("T⁻¹(T(z)) = z", (back - z).abs().amax(-1), ε * stretch)
    _within("T(T⁻¹(x)) = x", (again - image).abs().amax(-1), ε * both)
    if not layer.exact_logabsdet:
        return
    _within("log|det J_T|", logabsdet - L, ε * (both + turn))
    _within("log|det J_T⁻¹|", inverse_logabsdet - inverse_L, ε * (both + inverse_turn))
    _within("log-dets cancel", logabsdet + inverse_logabsdet, ε * (both + turn + inverse_turn))


def _steepness(map: Callable[[Tensor], tuple[Tensor, Tensor]], z: Tensor) -> Tensor:
    """How strongly the log-det answers to a change of the point: |∂ log|det J| / ∂z|."""
    z = z.clone().requires_grad_()
    logabsdet = map(z)[1]
    if not logabsdet.requires_grad:
        return torch.zeros(len(z), dtype=z.dtype)
    gradient = torch.autograd.grad(logabsdet.sum(), z, allow_unused=True)[0]
    return torch.zeros(len(z)).double() if gradient is None else gradient.abs().sum(-1)


def _within(what: str, error: Tensor, unit: Tensor) -> None:
    # Where not three digits survive, the first-order theory of errors says nothing.
    judged = unit < 1e-3
    ratio = torch.where(judged, error.double().abs() / unit, 0.0)
    worst = int(ratio.argmax())
    assert float(ratio[worst]) <= SLACK, (
        f"{what}: off by {float(error[worst]):.1e}, {float(ratio[worst]):.1e} times "
        f"{float(unit[worst]):.1e}, the condition times the roundoff"
    )


def assert_absolute(flow: Flow, z: Tensor, tolerance: float) -> None:
    """Round trip and log-dets of a whole flow, to ``tolerance``: for well-conditioned flows."""
    result = check(flow.transform, z)
    assert result.worst() <= tolerance, result
    assert result.monotone is not False, result


# The Jacobian's structure and the cost of a direction


def assert_structure(name: str, flow: Flow, z: Tensor) -> None:
    """Zeros exactly where :meth:`jacobian_mask` says, and the shape that the entry announces."""
    structure = catalog.entry(name).jacobian
    eye = torch.eye(flow.dim, dtype=torch.bool)
    for layer in flow.bijections:
        # Of an inverse, the map itself: its mask is exact, and not only what can be reached.
        layer = layer.bijection if isinstance(layer, Inverse) else layer
        J = jacobian(layer, z).detach()
        mask = layer.jacobian_mask()
        assert (J[:, ~mask] == 0).all(), f"{layer.describe()}: non-zero where the mask has zero"
        seen = (J != 0).any(0)
        assert (seen == mask).all(), f"{layer.describe()}: zero where the mask has none"
        inverse_mask = Inverse(layer).jacobian_mask()
        inverse_J = jacobian(layer.inverse, layer(z)[0].detach()).detach()
        assert (inverse_J[:, ~inverse_mask] == 0).all(), f"{layer.describe()}⁻¹: mask"
        off = (mask & ~eye).double()
        if structure == "diagonal":
            assert not off.any()
        elif structure == "triangular":
            assert not torch.matrix_power(off, flow.dim).any(), "not triangular in any order"
        elif structure == "block triangular":
            assert not (off @ off).any(), "a moved coordinate moves another"
        elif structure == "permutation":
            assert (J[0] == J).all() and ((J == 0) | (J == 1)).all()
            assert (J.sum(-1) == 1).all() and (J.sum(-2) == 1).all()
        elif structure in ("identity plus rank one", "identity plus low rank"):
            rank = layer.rank if structure == "identity plus low rank" else 1
            values = torch.linalg.svdvals(J - torch.eye(flow.dim).double())
            assert (values[:, rank:] < 1e-12 * (1 + values[:, :1])).all(), values
    if structure == "dense":
        assert (jacobian(flow, z) != 0).any(0).all()


def network_calls(flow: Flow, run: Callable[[], object]) -> int:
    """How many passes of networks are made, one after the other.

    A conditioner is one network, whatever it is made of; elsewhere a network is what a layer
    calls ``network``. One that works through the coordinates in turn does so with its ``cell``.
    """
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    conditioners = [m for m in flow.modules() if isinstance(m, Conditioner)]
    inside = {m for c in conditioners for m in c.modules()}
    conditioners = [getattr(c, "cell", c) for c in conditioners]
    networks = [
        module
        for name, module in flow.named_modules()
        if name.rpartition(".")[2] == "network" and module not in inside
    ]
    hooks = [m.register_forward_hook(count) for m in (*conditioners, *networks)]
    run()
    for hook in hooks:
        hook.remove()
    return calls


def assert_cost(name: str) -> None:
    """A direction is fast if and only if its network passes do not grow with D."""
    entry = catalog.entry(name)
    passes = {}
    small, large = (next(d for d in dims_of(name, *range(n, 3 * n + 1))) for n in (3, 6))
    if small == large:
        return  # The family has one dimension only.
    for dim in (small, large):
        flow, z = random_flow(name, dim, 0.1, layers=1), points(4, dim)
        passes[dim] = (
            network_calls(flow, lambda: flow(z)),  # noqa: B023
            network_calls(flow, lambda: flow.inverse(z)),  # noqa: B023
        )
    for direction, announced in enumerate((entry.fast_forward, entry.fast_inverse)):
        measured = passes[small][direction] == passes[large][direction]
        assert announced == measured, (name, ("forward", "inverse")[direction], passes)


# Densities


def assert_density(flow: Flow, half: float = 14.0, n: int = 400, draws: int = 20_000) -> None:
    """∫p = 1 on a wide grid, and samples fall where p says (χ², pooled cells, five sigmas)."""
    step = 2 * half / n
    axis = (torch.arange(n, dtype=torch.float64) + 0.5) * step - half
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)
    with torch.no_grad():
        mass = torch.exp(flow.log_prob(grid)) * step**2
    total = float(mass.sum())
    assert abs(total - 1) < 1e-2, f"∫p = {total:.4f}"

    torch.manual_seed(0)
    x = flow.sample(draws)
    cells = n // 10

    def cell(values: Tensor) -> Tensor:
        index = ((values + half) * (cells / (2 * half))).floor().long()
        inside = ((index >= 0) & (index < cells)).all(-1)
        flat = index[..., 0].clamp(0, cells - 1) * cells + index[..., 1].clamp(0, cells - 1)
        return torch.where(inside, flat, cells**2)

    expected = torch.zeros(cells**2 + 1, dtype=torch.float64)
    expected.index_add_(0, cell(grid).flatten(), mass.flatten())
    expected *= draws / total
    observed = torch.bincount(cell(x), minlength=cells**2 + 1).double()
    rare = expected < 20
    expected = torch.cat([expected[~rare], expected[rare].sum().clamp_min(1).reshape(1)])
    observed = torch.cat([observed[~rare], observed[rare].sum().reshape(1)])
    chi2 = float(((observed - expected).square() / expected).sum())
    freedom = len(expected) - 1
    z = (chi2 - freedom) / math.sqrt(2 * freedom)
    assert z < 5, f"χ² = {chi2:.0f} for {freedom} degrees of freedom"


# Gradients


def assert_gradients(flow: Flow, n: int = 256) -> None:
    """Every parameter has a finite, non-zero gradient from both objectives."""
    x = points(n, flow.dim)

    def log_density(x: Tensor) -> Tensor:
        return -0.5 * (x - 0.7).square().sum(-1) - torch.sin(x).sum(-1)

    losses = {
        "forward KL": lambda: forward_kl(flow, x),
        "reverse KL": lambda: reverse_kl(flow, log_density, n),
        "reverse KL, path gradient": lambda: reverse_kl(flow, log_density, n, path_gradient=True),
    }
    for objective, loss in losses.items():
        flow.zero_grad()
        loss().value.backward()
        for name, parameter in flow.named_parameters():
            gradient = parameter.grad
            assert gradient is not None, f"{objective}: no gradient for {name}"
            assert gradient.isfinite().all(), f"{objective}: {name} has {gradient}"
            assert gradient.any(), f"{objective}: the gradient of {name} is zero"


def assert_gradcheck(layer: Bijection, z: Tensor, *, second: bool = False) -> None:
    """Both directions against finite differences, in the points and in every parameter."""
    names = [name for name, _ in layer.named_parameters()]
    values = [p.detach().clone().requires_grad_() for p in layer.parameters()]
    test = torch.autograd.gradgradcheck if second else torch.autograd.gradcheck
    for direction in (layer, Inverse(layer)):
        prefix = "" if direction is layer else "bijection."

        def call(z: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensor]:
            named = {prefix + n: p for n, p in zip(names, parameters, strict=True)}  # noqa: B023
            return torch.func.functional_call(direction, named, (z,))  # noqa: B023

        assert test(call, (z.clone().requires_grad_(), *values), fast_mode=True, atol=1e-4)


# Batches


def assert_independent(flow: Flow, x: Tensor) -> None:
    """A point's numbers do not depend on its neighbours."""
    together = flow.log_prob(x)
    alone = torch.stack([flow.log_prob(point) for point in x])
    assert torch.allclose(together, alone, rtol=1e-10, atol=1e-10)


def assert_shapes(flow: Flow) -> None:
    """One point ``[D]``, empty batches, several leading dimensions."""
    for batch in ((), (0,), (1,), (7,), (2, 3), (2, 0), (2, 3, 4)):
        x = points(math.prod(batch), flow.dim).reshape(*batch, flow.dim)
        for direction in (flow.forward, flow.inverse):
            image, logabsdet = direction(x)
            assert image.shape == x.shape and logabsdet.shape == batch, batch
        assert flow.log_prob(x).shape == batch
    for n in (0, 1, 5):
        assert flow.sample(n).shape == (n, flow.dim)
        x, log_prob = flow.rsample_and_log_prob(n)
        assert x.shape == (n, flow.dim) and log_prob.shape == (n,)
