"""One family of flows in each library: the same layers, widths, bins and activation.

Each maker takes a catalogue name, a size, a learning rate, the seed of its start (those of
torch's libraries follow the global one) and a device of torch, and returns a :class:`Contender`;
KeyError where the library does not have the family with a density that can be evaluated.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from flowviz.adam import Adam
from flowviz.flows import Player, catalog

HIDDEN, BINS, BOUND = 64, 8, 5.0


@dataclass
class Contender:
    """What is timed; every function does one unit of its work.

    Attributes:
        gradient: the loss on a batch ``[N, D]`` and its gradient.
        step: that and an update; returns the loss.
        draw: so many draws.
        log_prob: of points ``[N, D]``, a tensor without gradient.
        compiling: seconds that compilation has taken so far; 0 where there is none.
        plays: whether passes have been recorded.
    """

    gradient: Callable[[Tensor], object]
    step: Callable[[Tensor], object]
    draw: Callable[[int], object]
    log_prob: Callable[[Tensor], Tensor]
    compiling: dict[str, float] = field(default_factory=dict)
    plays: Callable[[], bool] = lambda: False


def in_torch(
    module: nn.Module,
    log_prob: Callable[[Tensor], Tensor],
    sample: Callable[[int], object],
    optimizer: Callable[[list[nn.Parameter], float], Any],
    rate: float,
    device: str,
) -> Contender:
    module.to(device)
    parameters = [p for p in module.parameters() if p.requires_grad]
    update = optimizer(parameters, rate) if parameters else None

    def gradient(x: Tensor) -> Tensor:
        for parameter in parameters:
            parameter.grad = None
        loss = -log_prob(x).mean()
        loss.backward()
        return loss

    def step(x: Tensor) -> Tensor:
        loss = gradient(x)
        update.step()
        return loss

    no_grad = torch.no_grad()
    return Contender(gradient, step, no_grad(sample), no_grad(log_prob))


def flowviz(name: str, dim: int, layers: int, rate: float, seed: int, device: str) -> Contender:
    wanted = {"hidden": (HIDDEN, HIDDEN), "bins": BINS}
    if catalog.entry(name).family == "Continuous time":
        layers = 1  # zuko's is one ODE, too
    options = {key: wanted[key] for key in catalog.entry(name).options if key in wanted}
    flow = catalog.make(name, dim, layers, seed=seed, **options).to(device)
    player = Player(flow)

    update = Adam(flow.parameters(), rate)

    def gradient(x: Tensor) -> Tensor:
        update.zero_grad()
        with player:
            return -flow.log_prob_backward(x).mean()

    def step(x: Tensor) -> Tensor:
        loss = gradient(x)
        update.step()
        return loss

    @torch.no_grad()
    def log_prob(x: Tensor) -> Tensor:
        with player:
            return flow.log_prob(x)

    def sample(n: int) -> Tensor:
        with player:
            return flow.sample(n)

    return Contender(gradient, step, sample, log_prob, plays=lambda: bool(player.recordings))


def zuko(name: str, dim: int, layers: int, rate: float, _: int, device: str) -> Contender:
    import zuko.flows as zf

    network = {"hidden_features": 2 * [HIDDEN], "activation": nn.SiLU}
    shared = {"transforms": layers, **network}
    monotone = {"transforms": layers, "network": network}
    made = {
        "real_nvp": lambda: zf.RealNVP(dim, 0, **shared),
        "nice": lambda: zf.NICE(dim, 0, **shared),
        "maf": lambda: zf.MAF(dim, 0, **shared),
        "rq_spline_autoregressive": lambda: zf.NSF(dim, 0, bins=BINS, **shared),
        "rq_spline_coupling": lambda: zf.NSF(dim, 0, bins=BINS, passes=2, **shared),
        "naf": lambda: zf.NAF(dim, 0, **monotone),
        "umnn": lambda: zf.UNAF(dim, 0, **monotone),
        "sos": lambda: zf.SOSPF(dim, 0, degree=2, polynomials=3, **shared),
        "cnf": lambda: zf.CNF(dim, 0, **network),
        "ffjord": lambda: zf.CNF(dim, 0, exact=False, **network),
    }
    flow = made[name]()
    return in_torch(
        flow,
        lambda x: flow().log_prob(x),
        lambda n: flow().sample((n,)),
        torch.optim.Adam,
        rate,
        device,
    )


class Network(nn.Sequential):
    """A conditioner as nflows calls it: with a context that is not there."""

    def __init__(self, inputs: int, outputs: int) -> None:
        layers: list[nn.Module] = []
        for size, next_size in itertools.pairwise((inputs, HIDDEN, HIDDEN, outputs)):
            layers += [nn.Linear(size, next_size), nn.SiLU()]
        super().__init__(*layers[:-1])

    def forward(self, x: Tensor, context: None = None) -> Tensor:
        return super().forward(x)


def nflows(name: str, dim: int, layers: int, rate: float, _: int, device: str) -> Contender:
    from nflows import distributions, flows, transforms

    masked = {"hidden_features": HIDDEN, "num_blocks": 2, "use_residual_blocks": False}
    masked["activation"] = nn.functional.silu
    spline = {"num_bins": BINS, "tails": "linear", "tail_bound": BOUND}
    coupled = {
        "nice": (transforms.AdditiveCouplingTransform, {}),
        "real_nvp": (transforms.AffineCouplingTransform, {}),
        "linear_spline_coupling": (transforms.PiecewiseLinearCouplingTransform, spline),
        "quadratic_spline_coupling": (transforms.PiecewiseQuadraticCouplingTransform, spline),
        "cubic_spline_coupling": (transforms.PiecewiseCubicCouplingTransform, spline),
        "rq_spline_coupling": (transforms.PiecewiseRationalQuadraticCouplingTransform, spline),
    }
    # Its linear and cubic autoregressive splines have no tails: their domain is the unit cube.
    quadratic = transforms.MaskedPiecewiseQuadraticAutoregressiveTransform
    rational = transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform
    autoregressive = {
        "maf": (transforms.MaskedAffineAutoregressiveTransform, {}),
        "quadratic_spline_autoregressive": (quadratic, spline),
        "rq_spline_autoregressive": (rational, spline),
    }
    alone = {
        "plu": lambda: transforms.LULinear(dim),
        "qr": lambda: transforms.QRLinear(dim, dim),
        "svd": lambda: transforms.SVDLinear(dim, dim),
        "dense": lambda: transforms.NaiveLinear(dim),
        "actnorm": lambda: transforms.ActNorm(dim),
        "batch_norm": lambda: transforms.BatchNorm(dim),
    }
    steps: list[nn.Module] = []
    for layer in range(layers):
        if name in coupled:
            kind, extra = coupled[name]
            mask = [(place + layer) % 2 for place in range(dim)]
            steps.append(kind(mask, Network, **extra))
        elif name in autoregressive:
            kind, extra = autoregressive[name]
            steps += [kind(features=dim, **masked, **extra), transforms.ReversePermutation(dim)]
        else:
            steps.append(alone[name]())
    base = distributions.StandardNormal((dim,))
    flow = flows.Flow(transforms.CompositeTransform(steps), base)
    return in_torch(flow, flow.log_prob, flow.sample, torch.optim.Adam, rate, device)


def normflows(name: str, dim: int, layers: int, rate: float, _: int, device: str) -> Contender:
    import normflows as nf

    # Its planar and radial flows have no inverse, and so no maximum likelihood.
    half = dim // 2

    def coupling() -> nn.Module:
        network = nf.nets.MLP([half, HIDDEN, HIDDEN, 2 * (dim - half)], init_zeros=True)
        return nf.flows.AffineCouplingBlock(network)

    def masked() -> nn.Module:
        return nf.flows.MaskedAffineAutoregressive(dim, HIDDEN, num_blocks=2)

    def residual() -> nn.Module:
        network = nf.nets.LipschitzMLP([dim, HIDDEN, HIDDEN, dim], init_zeros=True)
        # As flowviz's for c = 0.9. By default p is ½, after two terms that are always there: half
        # as many terms, but above c = √½ the variance of the estimate has no bound.
        return nf.flows.Residual(network, geom_p=0.1, n_exact_terms=0)

    kinds = {
        "real_nvp": coupling,
        "rq_spline_coupling": lambda: nf.flows.CoupledRationalQuadraticSpline(
            dim, 2, HIDDEN, num_bins=BINS, tail_bound=BOUND
        ),
        "rq_spline_autoregressive": lambda: nf.flows.AutoregressiveRationalQuadraticSpline(
            dim, 2, HIDDEN, num_bins=BINS, tail_bound=BOUND
        ),
        # Its own direction is that of an IAF.
        "iaf": masked,
        "maf": lambda: nf.flows.Reverse(masked()),
        "contractive_roulette": residual,
        "plu": lambda: nf.flows.LULinearPermute(dim),
        "actnorm": lambda: nf.flows.ActNorm(dim),
    }
    steps: list[nn.Module] = []
    for _ in range(layers):
        steps.append(kinds[name]())
        if name not in ("contractive_roulette", "plu", "actnorm"):
            steps.append(nf.flows.Permute(dim, mode="swap"))
    flow = nf.NormalizingFlow(nf.distributions.base.DiagGaussian(dim), steps)
    return in_torch(flow, flow.log_prob, flow.sample, torch.optim.Adam, rate, device)


def flowjax(name: str, dim: int, layers: int, rate: float, seed: int, _: str) -> Contender:
    import equinox as eqx
    import flowjax.bijections as fb
    import flowjax.flows as ff
    import jax
    import jax.numpy as jnp
    import optax
    from flowjax.distributions import Normal
    from paramax import NonTrainable, unwrap

    key = jax.random.key(seed)
    shared: dict[str, Any] = {"base_dist": Normal(jnp.zeros(dim)), "flow_layers": layers}
    network = {"nn_width": HIDDEN, "nn_depth": 2, "nn_activation": jax.nn.silu}

    def spline() -> Any:
        return fb.RationalQuadraticSpline(knots=BINS, interval=BOUND)

    made = {
        "nice": lambda: ff.coupling_flow(
            key, transformer=fb.Loc(jnp.zeros(())), **shared, **network
        ),
        "real_nvp": lambda: ff.coupling_flow(key, **shared, **network),
        "maf": lambda: ff.masked_autoregressive_flow(key, **shared, **network),
        "rq_spline_coupling": lambda: ff.coupling_flow(
            key, transformer=spline(), **shared, **network
        ),
        "rq_spline_autoregressive": lambda: ff.masked_autoregressive_flow(
            key, transformer=spline(), **shared, **network
        ),
        "bnaf": lambda: ff.block_neural_autoregressive_flow(
            key, nn_depth=2, nn_block_dim=HIDDEN // dim, **shared
        ),
    }
    parameters, static = eqx.partition(
        made[name](), eqx.is_inexact_array, is_leaf=lambda leaf: isinstance(leaf, NonTrainable)
    )
    optimizer = optax.adam(rate)

    def loss(parameters: Any, x: Any) -> Any:
        return -unwrap(eqx.combine(parameters, static)).log_prob(x).mean()

    @jax.jit
    def gradient(parameters: Any, x: Any) -> Any:
        return jax.value_and_grad(loss)(parameters, x)

    @jax.jit
    def step(parameters: Any, state: Any, x: Any) -> Any:
        value, slope = jax.value_and_grad(loss)(parameters, x)
        updates, state = optimizer.update(slope, state)
        return optax.apply_updates(parameters, updates), state, value

    @eqx.filter_jit
    def draw(parameters: Any, key: Any, n: int) -> Any:
        return unwrap(eqx.combine(parameters, static)).sample(key, (n,))

    @jax.jit
    def log_prob(parameters: Any, x: Any) -> Any:
        return unwrap(eqx.combine(parameters, static)).log_prob(x)

    now = {"parameters": parameters, "state": optimizer.init(parameters), "key": key}
    compiling: dict[str, float] = {}

    def ready(what: str, call: Callable[[], Any]) -> Any:
        """The result, waited for; the first call of each kind is the one that compiles."""
        started = time.perf_counter()
        result = jax.block_until_ready(call())
        compiling.setdefault(what, time.perf_counter() - started)
        return result

    given: dict[Tensor, Any] = {}

    def array(x: Tensor) -> Any:
        """The points where jax computes; the last that were given are there already."""
        if x not in given:
            given.clear()
            given[x] = jax.device_put(x.cpu().numpy())
        return given[x]

    def update(x: Tensor) -> Any:
        points = array(x)
        now["parameters"], now["state"], value = ready(
            "step", lambda: step(now["parameters"], now["state"], points)
        )
        return value

    def sample(n: int) -> Any:
        now["key"], once = jax.random.split(now["key"])
        return ready("draw", lambda: draw(now["parameters"], once, n))

    def evaluate(x: Tensor) -> Tensor:
        values = ready("log_prob", lambda: log_prob(now["parameters"], array(x)))
        return torch.tensor(values.tolist())

    return Contender(
        lambda x: ready("gradient", lambda: gradient(now["parameters"], array(x))),
        update,
        sample,
        evaluate,
        compiling,
    )


LIBRARIES: dict[str, Callable[[str, int, int, float, int, str], Contender]] = {
    "flowviz": flowviz,
    "zuko": zuko,
    "nflows": nflows,
    "normflows": normflows,
    "flowjax": flowjax,
}
