"""One family of flows in each library: the same layers, widths, bins and activation.

Each maker takes a catalogue name, D, a number of layers, a learning rate, the seed of its start
(those of torch's libraries follow the global one), a device of torch and over how many steps
weights are averaged (0 for not at all), and returns a :class:`Contender`; KeyError where the
library does not have the family with a density that can be evaluated.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from flowviz.flows import Player, catalog
from flowviz.training import Adam, MovingAverage
from flowviz.training.average import rate as share_of

HIDDEN, BINS, BOUND = 64, 8, 5.0


@dataclass
class Contender:
    """What is timed; every function does one unit of its work.

    Attributes:
        gradient: the loss on a batch ``[N, D]`` and its gradient.
        step: that and an update, of the average as well; returns the loss.
        draw: so many draws.
        log_prob: of points ``[N, D]`` by the averaged weights, a tensor without gradient.
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
    log_prob: Callable[[Any, Tensor], Tensor],
    sample: Callable[[int], object],
    rate: float,
    device: str,
    average: int,
) -> Contender:
    module.to(device)
    parameters = [p for p in module.parameters() if p.requires_grad]
    update = torch.optim.Adam(parameters, rate) if parameters else None
    averaged = MovingAverage(module, average) if average else None
    steps = 0

    def gradient(x: Tensor) -> Tensor:
        for parameter in parameters:
            parameter.grad = None
        loss = -log_prob(module, x).mean()
        loss.backward()
        return loss

    def step(x: Tensor) -> Tensor:
        nonlocal steps
        loss = gradient(x)
        update.step()
        steps += 1
        if averaged:
            averaged.include(steps)
        return loss

    @torch.no_grad()
    def evaluate(x: Tensor) -> Tensor:
        return log_prob(averaged.flow if averaged else module, x)

    return Contender(gradient, step, torch.no_grad()(sample), evaluate)


def log_prob_of(flow: Any, x: Tensor) -> Tensor:
    return flow.log_prob(x)


def flowviz(
    name: str, dim: int, layers: int, rate: float, seed: int, device: str, average: int
) -> Contender:
    wanted = {"hidden": (HIDDEN, HIDDEN), "bins": BINS}
    if catalog.entry(name).family == "Continuous time":
        layers = 1  # zuko's is one ODE, too
    options = {key: wanted[key] for key in catalog.entry(name).options if key in wanted}
    flow = catalog.make(name, dim, layers, seed=seed, **options).to(device)
    player = Player(flow)

    update = Adam(flow.parameters(), rate)
    averaged = MovingAverage(flow, average) if average else None
    steps = 0

    def gradient(x: Tensor) -> Tensor:
        update.zero_grad()
        with player:
            return -flow.log_prob_backward(x).mean()

    def step(x: Tensor) -> Tensor:
        nonlocal steps
        loss = gradient(x)
        update.step()
        steps += 1
        if averaged:
            averaged.include(steps)
        return loss

    @torch.no_grad()
    def log_prob(x: Tensor) -> Tensor:
        if averaged:
            return averaged.flow.log_prob(x)
        with player:
            return flow.log_prob(x)

    def sample(n: int) -> Tensor:
        with player:
            return flow.sample(n)

    return Contender(gradient, step, sample, log_prob, plays=lambda: bool(player.recordings))


def zuko(
    name: str, dim: int, layers: int, rate: float, _: int, device: str, average: int
) -> Contender:
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
        lambda flow, x: flow().log_prob(x),
        lambda n: flow().sample((n,)),
        rate,
        device,
        average,
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


def nflows(
    name: str, dim: int, layers: int, rate: float, _: int, device: str, average: int
) -> Contender:
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
    return in_torch(flow, log_prob_of, flow.sample, rate, device, average)


def normflows(
    name: str, dim: int, layers: int, rate: float, _: int, device: str, average: int
) -> Contender:
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
    return in_torch(flow, log_prob_of, flow.sample, rate, device, average)


def flowjax(
    name: str, dim: int, layers: int, rate: float, seed: int, _: str, average: int
) -> Contender:
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
        # Its knots are the inner ones, of which there is one fewer than bins.
        return fb.RationalQuadraticSpline(knots=BINS - 1, interval=BOUND)

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
    def step(parameters: Any, state: Any, averaged: Any, share: Any, x: Any) -> Any:
        value, slope = jax.value_and_grad(loss)(parameters, x)
        updates, state = optimizer.update(slope, state)
        parameters = optax.apply_updates(parameters, updates)
        if average:
            averaged = optax.incremental_update(parameters, averaged, share)
        return parameters, state, averaged, value

    @eqx.filter_jit
    def draw(parameters: Any, key: Any, n: int) -> Any:
        return unwrap(eqx.combine(parameters, static)).sample(key, (n,))

    @jax.jit
    def log_prob(parameters: Any, x: Any) -> Any:
        return unwrap(eqx.combine(parameters, static)).log_prob(x)

    now = {"parameters": parameters, "state": optimizer.init(parameters), "key": key}
    now |= {"averaged": parameters if average else None, "steps": 0}
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
        now["steps"] += 1
        given = now["parameters"], now["state"], now["averaged"]
        share = share_of(now["steps"], average) if average else None
        *found, value = ready("step", lambda: step(*given, share, points))
        now["parameters"], now["state"], now["averaged"] = found
        return value

    def sample(n: int) -> Any:
        now["key"], once = jax.random.split(now["key"])
        return ready("draw", lambda: draw(now["parameters"], once, n))

    def evaluate(x: Tensor) -> Tensor:
        shown = now["averaged"] if average else now["parameters"]
        values = ready("log_prob", lambda: log_prob(shown, array(x)))
        return torch.tensor(values.tolist())

    return Contender(
        lambda x: ready("gradient", lambda: gradient(now["parameters"], array(x))),
        update,
        sample,
        evaluate,
        compiling,
    )


LIBRARIES: dict[str, Callable[[str, int, int, float, int, str, int], Contender]] = {
    "flowviz": flowviz,
    "zuko": zuko,
    "nflows": nflows,
    "normflows": normflows,
    "flowjax": flowjax,
}
