"""In a region of ``torch.autocast`` a flow computes as it does outside of it."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Generator, Tensor, nn

from flowviz.flows import Flow, Player, catalog
from flowviz.flows.bijection import estimated
from flowviz.flows.distributions import FullNormal
from flowviz.flows.recording import WARM_UP
from tests.engine.engine_checks import dims_of, points, random_flow


def autocast() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


def gradients(flow: Flow) -> Tensor:
    found = [p.grad.flatten() for p in flow.parameters() if p.grad is not None]
    flow.zero_grad()
    return torch.cat(found)


def seeded(flow: Flow) -> None:
    for layer in estimated(flow):
        layer.generator = Generator().manual_seed(0)


@pytest.mark.parametrize("name", catalog.names())
def test_every_family(name: str) -> None:
    dim = dims_of(name, 2)[0]
    flow = random_flow(name, dim, 0.5, dtype=torch.float32, layers=1)
    x = points(16, dim, dtype=torch.float32)
    outside, inside = [], []
    for results, region in ((outside, torch.autocast("cpu", enabled=False)), (inside, autocast())):
        seeded(flow)
        with region:
            log_prob = flow.log_prob(x)
            results += [log_prob.detach(), *flow.transform(x), *flow.transform.inverse(x)]
        log_prob.mean().backward()
        results.append(gradients(flow))
    for mine, theirs in zip(inside, outside, strict=True):
        assert torch.equal(mine, theirs)

    # Torch advises against it: the products of what is its own are then as autocast has them.
    seeded(flow)
    with autocast():
        flow.log_prob(x).mean().backward()
    error = (gradients(flow) - outside[-1]).norm()
    assert error <= 0.05 * outside[-1].norm()


@pytest.mark.parametrize("name", ["rq_spline_coupling", "cnf", "contractive", "qr"])
def test_second_derivatives_within_a_region(name: str) -> None:
    flow = random_flow(name, 2, 0.5, dtype=torch.float32, layers=1)
    x = points(4, 2, dtype=torch.float32).requires_grad_()
    with autocast():
        (score,) = torch.autograd.grad(flow.log_prob(x).sum(), x, create_graph=True)
        score.square().mean().backward()
    assert x.grad is not None and x.grad.isfinite().all()


def test_what_a_region_has_made_goes_in() -> None:
    """Points and contexts in autocast's dtype; outside of a region they are an error as ever."""
    flow = random_flow("maf", 2, dtype=torch.float32, layers=1, context=3)
    embedding, x = nn.Linear(5, 3), points(4, 2, dtype=torch.float32)
    seen = torch.randn(4, 5)
    with autocast():
        context = embedding(seen)
        assert context.dtype == torch.bfloat16
        inside = flow.log_prob(x.bfloat16(), context)
    assert torch.equal(inside, flow.log_prob(x.bfloat16().float(), context.float()))
    inside.mean().backward()
    assert embedding.weight.grad is not None and embedding.weight.grad.any()
    with pytest.raises(TypeError, match=r"bfloat16.*convert it with \.to\(\)"):
        flow.log_prob(x, context)


def test_draws_traces_and_steps() -> None:
    flow = Flow(FullNormal(2), random_flow("glow", 2, 0.5, dtype=torch.float32).bijections)
    with torch.no_grad():
        flow.base.lower.fill_(0.7)
    x = points(4, 2, dtype=torch.float32)

    def everything() -> list[Tensor]:
        draws, logs = flow.rsample_and_log_prob(4, generator=Generator().manual_seed(0))
        trace = flow.trace(x)
        steps = [state for state, _ in flow.transform.steps(x, inverse=True)]
        return [draws, logs, trace.states, trace.logabsdet, flow.base.log_prob(x), *steps]

    with autocast():
        inside = everything()
    for mine, theirs in zip(inside, everything(), strict=True):
        assert torch.equal(mine, theirs)


def test_whoever_takes_steps_keeps_the_region() -> None:
    flow, x = random_flow("real_nvp", dtype=torch.float32), points(4, 2, dtype=torch.float32)
    with autocast():
        for _ in flow.transform.steps(x):
            assert torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("name", ["rq_spline_coupling", "maf", "contractive"])
def test_training_with_a_scaler(name: str) -> None:
    """The loop of torch's own documentation goes the way of the loop without it."""
    flow, x = catalog.make(name, layers=2, seed=0), points(64, 2, dtype=torch.float32)
    plain = copy.deepcopy(flow)
    # The scale is a power of two: it does not round.
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    optimizers = [torch.optim.SGD(f.parameters(), 0.05) for f in (flow, plain)]
    for _ in range(3):
        for optimizer in optimizers:
            optimizer.zero_grad()
        with autocast():
            loss = -flow.log_prob(x).mean()
        scaler.scale(loss).backward()
        scaler.step(optimizers[0])
        scaler.update()
        (-plain.log_prob(x).mean()).backward()
        optimizers[1].step()
    for mine, theirs in zip(flow.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-5, atol=1e-7)


def test_recordings_play_within_a_region() -> None:
    flow, x = catalog.make("real_nvp", layers=2, seed=0), points(8, 2, dtype=torch.float32)
    player = Player(flow)
    flow.log_prob_backward(x)
    expected = gradients(flow)
    for _ in range(WARM_UP + 2):
        with player, autocast():
            assert flow.log_prob_backward(x) is not None
        assert torch.allclose(gradients(flow), expected, atol=1e-7)
    assert player.recordings
