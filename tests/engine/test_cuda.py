"""On an NVIDIA GPU: the CPU's numbers, and steps that are CUDA graphs. Skipped without one."""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor, nn

from flowviz import inference, objectives, targets, training
from flowviz.flows import Bijection, Flow, Player, catalog
from flowviz.flows.distributions import StandardNormal
from flowviz.flows.recording import Descent, Recording
from flowviz.flows.recording import player as players
from flowviz.flows.recording.captured import Captured
from flowviz.objectives import f_divergences
from flowviz.training import Objective, Trainer, maximum_likelihood, variational
from tests.engine import engine_checks as checks
from tests.engine.test_recording import (
    DENSITY_IS_COMPUTED,
    DRAWS_ARE_COMPUTED,
    TRAINABLE,
    WARM_UP,
    density,
    descending,
    descent,
    draws,
    early,  # noqa: F401  (records soon)
    points,
    small,
    trained,
    with_batch_norm,
)

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

# Their linear algebra lets the CPU wait for the GPU's answer.
NO_GRAPH = {"orthogonal_exponential", "orthogonal_cayley"}


def on_gpu(name: str) -> tuple[Flow, Tensor]:
    dim = checks.dims_of(name, 2)[0]
    return small(name, dim).cuda(), points(dim=dim).cuda()


def programs(recording: Recording | Descent) -> list[object]:
    recording = recording.recording if isinstance(recording, Descent) else recording
    return [recording.pass_, *(p for p in [getattr(recording, "gradient", None)] if p)]


def are_graphs(recording: Recording | Descent) -> bool:
    return all(isinstance(p, Captured) and p.is_graph for p in programs(recording))


@pytest.mark.parametrize("name", [n for n in checks.exact(catalog.names()) if n in TRAINABLE])
def test_the_gradients_are_those_of_the_cpu(name: str) -> None:
    (dim,) = checks.dims_of(name, 3)
    flow, x = checks.random_flow(name, dim, 0.3), checks.points(64, dim)
    there = copy.deepcopy(flow).cuda()
    for one, at in ((flow, x), (there, x.cuda())):
        one.log_prob_backward(at)
    for ours, theirs in zip(flow.parameters(), there.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None)
        if ours.grad is not None:
            size = 1 + float(ours.grad.abs().max())
            assert torch.allclose(theirs.grad.cpu(), ours.grad, rtol=0, atol=1e-8 * size)


@pytest.mark.parametrize("loss", [density, descent, draws])
@pytest.mark.parametrize("name", TRAINABLE)
def test_graphs_yield_the_numbers_of_kernel_after_kernel(
    name: str, loss: Callable[[Flow, Tensor], Tensor]
) -> None:
    flow, x = on_gpu(name)
    expected = trained(on_gpu(name)[0], draws if loss is draws else density, x, None)
    player = Player(flow)
    for a, b in zip(trained(flow, loss, x, player), expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)
    computed = DRAWS_ARE_COMPUTED if loss is draws else DENSITY_IS_COMPUTED
    assert len(player.recordings) == (name not in computed)
    assert all(are_graphs(r) == (name not in NO_GRAPH) for r in player.recordings)


@pytest.mark.parametrize("loss", [density, descent, draws])
def test_graphs_are_launched_and_their_programs_left_alone(
    loss: Callable[[Flow, Tensor], Tensor],
) -> None:
    flow, x = on_gpu("rq_spline_coupling")
    player = Player(flow)
    for step in range(WARM_UP + 4):
        with player:
            value = loss(flow, (1 + step) * x)
        if value.requires_grad:
            value.backward()
        if step == WARM_UP + 1:
            for program in programs(player.recordings[0]):
                program._program = None
    assert torch.allclose(value, (draws if loss is draws else density)(flow, (1 + step) * x))


def test_what_a_graph_yields_stays_when_it_is_launched_again() -> None:
    flow, x = on_gpu("real_nvp")
    expected = [flow.log_prob(k * x) for k in (1, 2)]
    player = descending(flow, x)
    with player:
        found = [flow.log_prob_backward(k * x) for k in (1, 2)]
    assert are_graphs(player.recordings[0])
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, atol=1e-5)
    gradients = [p.grad for p in flow.parameters()]
    flow.zero_grad()
    for k in (1, 2):
        density(flow, k * x).backward()
    for gradient, parameter in zip(gradients, flow.parameters(), strict=True):
        assert torch.allclose(gradient, parameter.grad, atol=1e-5)
        assert gradient.stride() == parameter.stride()


def test_two_passes_before_their_gradients() -> None:
    def two_passes(flow: Flow, x: Tensor) -> Tensor:
        return -flow.log_prob(x).mean() - flow.log_prob(2 * x).mean()

    x = points().cuda()
    for make in (lambda: on_gpu("maf")[0], lambda: with_batch_norm().cuda()):
        player = Player(flow := make())
        played = trained(flow, two_passes, x, player)
        assert are_graphs(player.recordings[0])
        for a, b in zip(played, trained(make(), two_passes, x, None), strict=True):
            assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)


def test_weights_that_have_come_to_lie_elsewhere_are_seen() -> None:
    flow, x = on_gpu("real_nvp")
    player = descending(flow, x)
    for parameter in flow.parameters():
        parameter.data = parameter.data + 0.1
    expected = flow.log_prob(x)
    with player:
        assert torch.allclose(flow.log_prob_backward(x), expected, atol=1e-5)


class Waiting(Bijection):
    """z' = z + b, by an operation that lets the CPU wait, in a way no list foresees."""

    def __init__(self) -> None:
        super().__init__(2)
        self.b = nn.Parameter(torch.zeros(2))

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return z - self.b + self.b.new_zeros(1).cpu().to(z.device), z.new_zeros(len(z))


def test_what_cannot_be_a_graph_is_played_and_leaves_the_gpu_as_it_was() -> None:
    flow, x = Flow(StandardNormal(2), [Waiting()]).cuda(), points().cuda()
    player = descending(flow, x)
    with player:
        log_prob = flow.log_prob_backward(x)
    assert not are_graphs(player.recordings[0])
    assert torch.allclose(log_prob, flow.log_prob(x))
    # Of torch's own generator, too.
    torch.manual_seed(0)
    first = flow.base.sample(4)
    torch.manual_seed(0)
    assert torch.equal(flow.base.sample(4), first) and first.is_cuda
    other, y = on_gpu("maf")
    assert are_graphs(descending(other, y).recordings[0])


def run(flow: nn.Module, objective: Objective) -> list[float]:
    trainer = Trainer(flow, objective, seed=0)
    return [snapshot.loss for snapshot in trainer.run(players.WARM_UP + 6)]


TARGET = targets.make("two_moons")


def log_density(x: Tensor) -> Tensor:
    return TARGET.log_density(x)


def between(distance: Callable[[Tensor, Tensor], objectives.Estimate]) -> Objective:
    def objective(flow: Flow, generator: Generator) -> objectives.Estimate:
        x = TARGET.sample(64, generator, flow.like.device)
        return distance(x, flow.rsample_and_log_prob(64, generator=generator)[0])

    return objective


def f_divergence(name: str) -> Objective:
    def objective(flow: Flow, generator: Generator) -> objectives.Estimate:
        return objectives.f_divergence(name, flow, log_density, n=64, generator=generator)

    return objective


OBJECTIVES = {
    "forward KL": lambda: maximum_likelihood(TARGET, 64),
    "reverse KL": lambda: variational(TARGET, 64),
    "path gradient": lambda: variational(TARGET, 64, path_gradient=True),
    "mmd": lambda: between(objectives.mmd),
    "energy distance": lambda: between(objectives.energy_distance),
    "sliced Wasserstein": lambda: between(objectives.sliced_wasserstein),
    "adversarial": lambda: training.Adversarial(
        "jensen_shannon",
        lambda n, generator: TARGET.sample(n, generator, generator.device),
        training.Discriminator(2).cuda(),
        batch=64,
    ),
    "weight variance": lambda: (
        lambda flow, generator: inference.weight_variance(
            flow, log_density, 64, generator=generator
        )
    ),
}


OBJECTIVES |= {name: lambda name=name: f_divergence(name) for name in f_divergences.names()}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_are_trained(name: str) -> None:
    losses = run(small("real_nvp").cuda(), OBJECTIVES[name]())
    assert len(losses) == WARM_UP + 6 and torch.tensor(losses).isfinite().all()


def test_continuous_flows_match_a_path() -> None:
    flow = catalog.make("cnf", 2, layers=1, seed=0, hidden=(8, 8)).cuda()
    losses = run(flow, training.flow_matching(TARGET, 64))
    assert torch.tensor(losses).isfinite().all()


def test_amortised_posteriors() -> None:
    flow = catalog.make("maf", 2, layers=2, seed=0, hidden=(8, 8), context=4)
    vae = inference.VAE(flow, 3, hidden=(8,)).cuda()
    x = points(32, 3).cuda()
    losses = run(vae, lambda vae, generator: vae.loss(x, generator))
    assert torch.tensor(losses).isfinite().all()
    for simulator in (inference.straight_line_simulator(), inference.two_moons_simulator()):
        θ, x = simulator.draw(1)
        flow = catalog.make("maf", 2, layers=2, seed=0, hidden=(8, 8), context=x.shape[-1])
        posterior = inference.NeuralPosterior(flow, simulator).cuda()
        losses = run(posterior, posterior.objective(64))
        assert torch.tensor(losses).isfinite().all()
        assert posterior.log_prob(θ.cuda(), x.cuda()).isfinite().all()
        assert posterior.sample(5, x[0].cuda()).is_cuda
        assert posterior.ranks(4, 9).shape == (4, 2)


def test_inference() -> None:
    flow = small("real_nvp").cuda()
    generator = Generator("cuda").manual_seed(0)
    sample = inference.importance_sampling(flow, log_density, 500, generator=generator)
    assert sample.pareto_k() < 3 and 1 <= sample.effective_sample_size() <= 500
    mean, error = sample.running(lambda x: x[:, 0])
    assert mean.is_cuda and error.is_cuda and sample.resample(5, generator).is_cuda
    assert sample.normaliser().value.isfinite()
    kept = inference.rejection_sampling(flow, log_density, 50, batch=500, generator=generator)
    assert kept.x.is_cuda and 0 < kept.acceptance <= 1
    start = TARGET.sample(4, generator, torch.device("cuda"))
    for walk in (inference.random_walk, inference.hmc):
        chains = walk(log_density, start, 20, warmup=10, generator=generator)
        assert chains.x.is_cuda and chains.r_hat().isfinite().all()
        pulled = inference.pulled_back(flow, log_density)
        u = flow.inverse(start)[0].detach()
        moved = walk(pulled, u, 20, warmup=10, generator=generator)
        assert inference.pushed_forward(flow, moved).x.is_cuda
    dual = objectives.kl_duality(flow, log_density, start, start)
    assert dual.data.value.isfinite() and dual.base.value.isfinite()
    for a, b in itertools.pairwise((start[:, 0], flow.sample(4)[:, 0], flow.sample(4)[:, 1])):
        assert objectives.wasserstein_1d(a, b).value.isfinite()


def test_another_thread_goes_on_computing_while_a_graph_is_made() -> None:
    stop, sums = threading.Event(), []

    def compute() -> None:
        a = torch.eye(64, device="cuda")
        while not stop.is_set():
            sums.append(float((a @ a).sum()))

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        for _ in range(5):
            flow, x = on_gpu("real_nvp")
            assert are_graphs(descending(flow, x).recordings[0])
    finally:
        stop.set()
        thread.join()
    assert set(sums) == {64.0}


def test_a_trainer_follows_its_flow_to_the_gpu() -> None:
    flow = small("glow")
    trainer = Trainer(flow, maximum_likelihood(TARGET, 64), average=4, seed=0)
    list(trainer.run(3))
    flow.cuda()
    assert [snapshot.failure for snapshot in trainer.run(players.WARM_UP + 3)][-1] is None
    assert trainer.averaged.like.is_cuda
    good = copy.deepcopy(flow.state_dict())
    trainer.step()
    trainer.objective = lambda flow: flow.log_prob(points().cuda()).mean() * torch.nan
    snapshot = trainer.step()
    assert snapshot is not None and snapshot.failure is not None
    assert all(torch.equal(tensor, good[name]) for name, tensor in flow.state_dict().items())
