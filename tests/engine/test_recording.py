"""Playing what was recorded: the same numbers as ever, and nothing recorded that may differ."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.autograd import forward_ad

from flowviz import targets
from flowviz.flows import Bijection, Flow, catalog
from flowviz.flows.distributions import DiagonalNormal, GaussianMixture, StandardNormal
from flowviz.flows.normalisation import BatchNorm
from flowviz.flows.recording import MOST_KINDS, Player
from flowviz.flows.recording import player as players
from flowviz.flows.recording.recording import torchscript_works
from flowviz.objectives import reverse_kl
from flowviz.training import Adam, Trainer, maximum_likelihood, variational
from tests.engine.engine_checks import dims_of

WARM_UP = 2
STEPS = WARM_UP + 5

# Their steps depend on the data, or they draw random numbers, or (attention, convolutions)
# TorchScript cannot take down an operation of theirs.
DENSITY_IS_COMPUTED = {
    "attention_af",
    "glow_image",
    "contractive_hutchinson",
    "contractive_roulette",
    "cnf",
    "planar_cnf",
    "ffjord",
}
# … and whose draws need a root besides.
DRAWS_ARE_COMPUTED = DENSITY_IS_COMPUTED | {
    "flow_plus_plus",
    "naf",
    "deep_naf",
    "bnaf",
    "umnn",
    "sos",
    "mixture_autoregressive",
    "contractive",
    "contractive_series",
    "contractive_dense",
}
# Without gradients, attention and convolutions are nothing special.
SAMPLES_ARE_COMPUTED = DRAWS_ARE_COMPUTED - {"attention_af", "glow_image"}


@pytest.fixture(autouse=True)
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(players, "WARM_UP", WARM_UP)


def points(n: int = 32, dim: int = 2) -> Tensor:
    return torch.randn(n, dim, generator=Generator().manual_seed(3))


def small(name: str, dim: int = 2) -> Flow:
    sizes = {"hidden": (8, 8), "bins": 4}
    options = {key: sizes[key] for key in catalog.entry(name).options if key in sizes}
    return catalog.make(name, dim, layers=2, seed=0, **options)


def density(flow: Flow, x: Tensor) -> Tensor:
    return -flow.log_prob(x).mean()


def descent(flow: Flow, x: Tensor) -> Tensor:
    """The same number, after its gradient."""
    return -flow.log_prob_backward(x).mean()


def draws(flow: Flow, _: Tensor) -> Tensor:
    generator = Generator(flow.like.device).manual_seed(4)
    x, log_prob = flow.rsample_and_log_prob(16, generator=generator)
    return (log_prob + x.square().sum(-1)).mean()


def trained(
    flow: Flow, loss: Callable[[Flow, Tensor], Tensor], x: Tensor, player: Player | None
) -> list[Tensor]:
    """The losses of a few steps, then the flow's state."""
    flow.train()
    optimizer = Adam(flow.parameters(), 1e-2)
    losses = []
    torch.manual_seed(0)
    for _ in range(STEPS):
        optimizer.zero_grad()
        if player is None:
            value = loss(flow, x)
        else:
            with player:
                value = loss(flow, x)
        if value.requires_grad:
            value.backward()
        optimizer.step()
        losses.append(value.detach())
    return [*losses, *flow.state_dict().values()]


TRAINABLE = [
    name
    for name in catalog.names()
    if any(p.numel() for p in small(name, dims_of(name, 2)[0]).parameters())
]


@pytest.mark.parametrize("losses", [(density, descent), (draws,)], ids=["density", "draws"])
@pytest.mark.parametrize("name", TRAINABLE)
def test_training_yields_the_same_numbers(
    name: str, losses: tuple[Callable[[Flow, Tensor], Tensor], ...]
) -> None:
    dim = dims_of(name, 2)[0]
    x = points(dim=dim)
    expected = trained(small(name, dim), losses[0], x, None)
    computed = DENSITY_IS_COMPUTED if density in losses else DRAWS_ARE_COMPUTED
    for loss in losses:
        flow = small(name, dim)
        player = Player(flow)
        for a, b in zip(trained(flow, loss, x, player), expected, strict=True):
            assert torch.equal(a, b)
        assert len(player.recordings) == (name not in computed)


@pytest.mark.parametrize("name", catalog.names())
def test_draws_are_the_same(name: str) -> None:
    flow = small(name, dims_of(name, 2)[0]).eval()
    player = Player(flow)
    for seed in range(WARM_UP + 2):
        torch.manual_seed(seed)
        with player:
            played = flow.sample(16)
        torch.manual_seed(seed)
        assert torch.equal(played, flow.sample(16))
    assert len(player.recordings) == (name not in SAMPLES_ARE_COMPUTED)


def after_recording(flow: Flow, x: Tensor) -> Player:
    """A player that has recorded the density at ``x``."""
    player = Player(flow)
    for _ in range(WARM_UP + 1):
        with player:
            flow.log_prob(x)
    assert len(player.recordings) == 1
    return player


def test_the_pass_is_played_and_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    flow, x = small("real_nvp"), points()
    expected = flow.log_prob(x)
    player = after_recording(flow, x)
    monkeypatch.setattr(flow.transform, "_inverse", None)
    with player:
        assert torch.equal(flow.log_prob(x), expected)
    with pytest.raises(TypeError):
        flow.log_prob(x)


def descending(flow: Flow, x: Tensor) -> Player:
    """A player that has recorded the density at ``x`` with its gradient."""
    player = Player(flow)
    for _ in range(WARM_UP + 1):
        with player:
            flow.log_prob_backward(x)
    flow.zero_grad()
    assert len(player.recordings) == 1
    return player


def test_a_descent_is_played_and_adds_to_the_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    flow, x = small("real_nvp"), points()
    player = descending(flow, x)
    for points_ in (x, 2 * x):
        density(flow, points_).backward()
    expected = [p.grad for p in flow.parameters()]
    flow.zero_grad()
    monkeypatch.setattr(flow.transform, "_inverse", None)
    with player:
        for points_ in (x, 2 * x):
            log_prob = flow.log_prob_backward(points_)
    monkeypatch.undo()
    assert torch.equal(log_prob, flow.log_prob(2 * x)) and not log_prob.requires_grad
    for parameter, gradient in zip(flow.parameters(), expected, strict=True):
        assert torch.equal(parameter.grad, gradient)


def test_a_descent_to_more_than_parameters_is_autograds() -> None:
    flow = catalog.make("real_nvp", 2, layers=2, seed=0, hidden=(8, 8), context=3)
    x, context, seen = points(), points(dim=3), []
    parameter = next(flow.parameters())
    player = Player(flow)
    for _ in range(WARM_UP + 2):
        z, c = x.clone().requires_grad_(), context.clone().requires_grad_()
        with player:
            flow.log_prob_backward(z, context)
            flow.log_prob_backward(x, c)
        assert z.grad.any() and c.grad.any()
    for register in (parameter.register_hook, parameter.register_post_accumulate_grad_hook):
        seen.clear()
        handle = register(lambda _: seen.append(1))
        for _ in range(WARM_UP + 2):
            with player:
                flow.log_prob_backward(x, context)
        assert len(seen) == WARM_UP + 2
        handle.remove()
    with player, torch.no_grad(), pytest.raises(RuntimeError, match="does not require grad"):
        flow.log_prob_backward(x, context)


class Twice(Bijection):
    """z' = z − a − b: the two have one gradient."""

    def __init__(self) -> None:
        super().__init__(2)
        self.a, self.b = (nn.Parameter(torch.zeros(4, 2)) for _ in range(2))
        self.W = nn.Parameter(torch.ones(2, 4).t())

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return z + self.a + self.b, (self.W * z).sum(-1)


def test_gradients_are_laid_out_like_their_parameters_and_have_memory_of_their_own() -> None:
    flow, x = Flow(StandardNormal(2), [Twice()]), points(4)
    player = descending(flow, x)
    flow.log_prob(x).mean().neg().backward()
    expected = {name: p.grad for name, p in flow.named_parameters()}
    flow.zero_grad()
    with player:
        flow.log_prob_backward(x)
    for name, p in flow.named_parameters():
        assert torch.equal(p.grad, expected[name]) and p.grad.stride() == p.stride()
        p.grad.zero_()
        del expected[name]
        assert all(q.grad.any() for n, q in flow.named_parameters() if n in expected)
    assert torch.equal(x, points(4))


def test_a_parameter_that_the_density_does_not_need_has_no_gradient() -> None:
    flow, x = small("real_nvp"), points()
    flow.extra = nn.Parameter(torch.ones(2))
    with descending(flow, x):
        flow.log_prob_backward(x)
    assert flow.extra.grad is None
    assert all(p.grad.any() for p in flow.transform.parameters())


def test_what_a_descent_cannot_say_is_said_in_words() -> None:
    flow, x = small("dense"), points()
    player = descending(flow, x)
    flow.bijections[0].offset.data.copy_(-torch.eye(2))
    with player, pytest.raises(FloatingPointError, match=r"2 × 2 matrix .* is singular"):
        flow.log_prob_backward(x)
    with player, pytest.raises(ValueError, match=r"hold NaN or infinity \(row 0\)"):
        flow.log_prob_backward(x.index_fill(0, torch.tensor(0), torch.nan))


def test_other_points_and_other_weights_are_seen() -> None:
    flow, x = small("rq_spline_coupling"), points()
    player = after_recording(flow, x)
    other = x.flip(0) * 3
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.3)
    with player:
        played = flow.log_prob(other)
    assert torch.equal(played, flow.log_prob(other))


def test_weights_that_a_functional_call_puts_in_place_are_seen() -> None:
    class LogProb(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.flow = small("maf")

        def forward(self, x: Tensor) -> Tensor:
            return self.flow.log_prob(x)

    module, x = LogProb(), points()
    player = after_recording(module.flow, x)
    others = {
        name: (value.detach() + 0.5).requires_grad_() for name, value in module.named_parameters()
    }
    expected = torch.func.functional_call(module, others, (x,))
    with player:
        played = torch.func.functional_call(module, others, (x,))
    assert torch.equal(played, expected)
    gradients = torch.autograd.grad(played.sum(), list(others.values()))
    assert any(bool(g.any()) for g in gradients)


def test_a_weight_that_two_layers_share_gets_both_gradients() -> None:
    flow, x = small("real_nvp"), points()
    first, second = flow.bijections
    second.conditioner.network[0].weight = first.conditioner.network[0].weight
    flow.log_prob(x).sum().backward()
    expected = [p.grad.clone() for p in flow.parameters()]
    flow.zero_grad()
    player = after_recording(flow, x)
    with player:
        loss = flow.log_prob(x).sum()
    loss.backward()
    for parameter, gradient in zip(flow.parameters(), expected, strict=True):
        assert torch.equal(parameter.grad, gradient)


def test_gradients_to_the_points() -> None:
    flow, x = small("sylvester"), points().requires_grad_()
    player = after_recording(flow, x)
    with player:
        played = flow.log_prob(x)
    expected = torch.autograd.grad(flow.log_prob(x).sum(), x)[0]
    assert torch.equal(torch.autograd.grad(played.sum(), x)[0], expected)


@pytest.mark.parametrize("base", [DiagonalNormal(2), GaussianMixture(2)])
@pytest.mark.parametrize("path_gradient", [False, True])
def test_points_that_depend_on_the_parameters(base: nn.Module, path_gradient: bool) -> None:
    """The gradient through the points must not be counted in the recording as well."""
    flow = Flow(copy.deepcopy(base), small("real_nvp").bijections)
    player = Player(flow)

    def gradients() -> list[Tensor]:
        flow.zero_grad()
        reverse_kl(
            flow,
            lambda x: -x.square().sum(-1),
            16,
            path_gradient=path_gradient,
            generator=Generator().manual_seed(0),
        ).value.backward()
        return [torch.zeros(()) if p.grad is None else p.grad for p in flow.parameters()]

    expected = gradients()
    for _ in range(WARM_UP + 2):
        with player:
            played = gradients()
    assert player.recordings
    for a, b in zip(played, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_pass_on_the_result_of_another() -> None:
    flow, x = small("rq_spline_coupling"), points()
    player = Player(flow)

    def gradients() -> tuple[Tensor, ...]:
        u, _ = flow.inverse(x)
        y, logabsdet = flow(1.1 * u)
        return torch.autograd.grad((y.square().mean() + logabsdet.mean()), list(flow.parameters()))

    expected = gradients()
    for _ in range(WARM_UP + 2):
        with player:
            played = gradients()
    assert len(player.recordings) == 2
    for a, b in zip(played, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-6)


def with_batch_norm() -> Flow:
    first, second = small("real_nvp").bijections
    flow = Flow(StandardNormal(2), [first, BatchNorm(2), second])
    return flow.train()


def test_buffers_that_move_between_a_pass_and_its_gradient() -> None:
    def two_passes(flow: Flow, x: Tensor) -> Tensor:
        return -flow.log_prob(x).mean() - flow.log_prob(2 * x).mean()

    player = Player(flow := with_batch_norm())
    played = trained(flow, two_passes, points(), player)
    assert len(player.recordings) == 1
    for a, b in zip(played, trained(with_batch_norm(), two_passes, points(), None), strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)


def test_second_derivatives_are_those_of_the_recorded_mode() -> None:
    flow, x = with_batch_norm(), points().requires_grad_()
    player = after_recording(flow, x)
    expected = torch.autograd.grad(flow.log_prob(x).sum(), x)[0]
    with player:
        loss = flow.log_prob(x).sum()
    before = {name: value.clone() for name, value in flow.named_buffers()}
    flow.eval()
    found = torch.autograd.grad(loss, x, create_graph=True)[0]
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert not any(module.training for module in flow.modules())
    for name, value in flow.named_buffers():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("name", ["real_nvp", "rq_spline_autoregressive", "contractive"])
def test_second_derivatives(name: str) -> None:
    flow, x = small(name).double(), points(8).double().requires_grad_()

    def penalty() -> Tensor:
        score = torch.autograd.grad(flow.log_prob(x).sum(), x, create_graph=True)[0]
        return score.square().sum()

    expected = torch.autograd.grad(penalty(), list(flow.parameters()), allow_unused=True)
    player = after_recording(flow, x)
    with player:
        played = penalty()
    found = torch.autograd.grad(played, list(flow.parameters()), allow_unused=True)
    for a, b in zip(found, expected, strict=True):
        assert (a is None and b is None) or torch.allclose(a, b, rtol=1e-9, atol=1e-12)


def test_a_frozen_parameter_and_evaluation_mode_are_other_passes() -> None:
    flow, x = small("batch_norm"), points()
    flow.train()
    player = after_recording(flow, x)
    flow.eval()
    with player:
        played = flow.log_prob(x)
    assert torch.equal(played, flow.log_prob(x))
    first, *_ = flow.parameters()
    first.requires_grad_(False)
    flow.train()
    with player:
        flow.log_prob(x).sum().backward()
    assert first.grad is None


def test_a_flag_that_has_changed_is_seen() -> None:
    """Activation normalisation asks its buffer whether it is initialised."""
    flow, x = small("actnorm"), points()
    flow.train()
    player = after_recording(flow, x)
    for layer in flow.bijections:
        layer.initialised.fill_(False)
    moved = 5 * x + 1
    with player:
        flow.log_prob(moved)
    assert all(layer.initialised for layer in flow.bijections)
    u = flow.inverse(moved)[0]
    assert torch.allclose(u.mean(0), torch.zeros(2), atol=1e-5)


class Odd(Bijection):
    """z' = z · exp(s), in an odd way that a test gives."""

    def __init__(self, way: Callable[[Tensor], Tensor]) -> None:
        super().__init__(2)
        self.log_scale = nn.Parameter(torch.zeros(2))
        self.way = way

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return self.way(z) * self.log_scale.exp(), self.log_scale.sum().expand(len(z))

    _inverse = _forward


CONSTANT = torch.tensor([2.0, -3.0])


@pytest.mark.parametrize(
    "way",
    [
        lambda z: -z,
        lambda z: CONSTANT * z.exp(),
        lambda z: (CONSTANT * 1.5).exp() * z,
        lambda z: (lambda a: a[:, :1] + (a * 2).neg())(z.exp()),
        lambda z: (lambda a: (a * 2).exp() * a.flatten().view_as(z))(z.sigmoid()),
        lambda z: (lambda a: a.expand(2, *a.shape).mul(2).sum(0) - a.t().neg().t())(z.tanh()),
        lambda z: (lambda a: a * a[0])(z.tanh()),
        lambda z: (lambda a: a[:, :1] * a)(z.exp()),
        lambda z: z.exp()[:, :1] * torch.ones(2),
        lambda z: (lambda a: torch.lerp(a, CONSTANT, a))(z.sigmoid()),
        lambda z: (z.double() * 0.1).float() + 0.1,
        lambda z: z.t().t() + z.exp().t().t().neg(),
        lambda z: z * torch.linspace(1, 2, 2).exp(),
        lambda z: torch.zeros_like(z).add_(z.exp()) + torch.zeros_like(z),
        lambda z: (lambda a: (a[:, 0].copy_(z[:, 1]), a)[1])(torch.zeros(len(z), 2)) + z,
    ],
)
def test_memory_is_used_again_only_by_what_nobody_needs(way: Callable[[Tensor], Tensor]) -> None:
    flow, x = Flow(StandardNormal(2), [Odd(way)]), points()
    given, constant = x.clone(), CONSTANT.clone()
    expected = trained(copy.deepcopy(flow), density, x, None)
    sampler = after_recording(flow, x)
    for _ in range(2):
        twin = copy.deepcopy(flow)
        for a, b in zip(trained(twin, descent, x, Player(twin)), expected, strict=True):
            assert torch.equal(a, b)
        with torch.no_grad():
            computed = [flow.log_prob(points)[None] for points in (x, 2 * x)]
            for _ in range(WARM_UP + 1):
                with sampler:
                    played = [flow.log_prob(points)[None] for points in (x, 2 * x)]
        assert torch.equal(torch.cat(played), torch.cat(computed))
    assert torch.equal(x, given) and torch.equal(CONSTANT, constant)


def test_what_no_input_decides_is_computed_once() -> None:
    layer = Odd(lambda z: z * torch.linspace(1, 2, 2).exp() + 1)
    player = after_recording(Flow(StandardNormal(2), [layer]), points())
    played = str(player.recordings[0].pass_.graph)
    assert "linspace" not in played and played.count("aten::exp(") == 1, "that of the scale"


@pytest.mark.parametrize(
    "way",
    [
        lambda z: z if z.sum() > 0 else 2 * z,
        lambda z: z * float(z.detach()[0, 0]),
        lambda z: z + z[z > 0].sum(),
        lambda z: z + len(torch.nonzero(z)),
        lambda z: z + torch.randn_like(z),
        lambda z: z * len(torch.unique(z.detach())),
    ],
    ids=["branch", "number", "mask", "nonzero", "random", "unique"],
)
def test_what_may_be_different_next_time_is_not_recorded(way: Callable[[Tensor], Tensor]) -> None:
    flow, x = Flow(StandardNormal(2), [Odd(way)]), points()
    player = Player(flow)
    for sign in (1, 1, 1, 1, -1):
        with player:
            torch.manual_seed(0)
            played = flow.log_prob(sign * x)
        torch.manual_seed(0)
        assert torch.equal(played, flow.log_prob(sign * x))
    assert player.recordings == []


def test_forward_mode_and_autocast_compute() -> None:
    flow, x = small("real_nvp"), points()
    with torch.autocast("cpu", torch.bfloat16):
        expected = flow.log_prob(x)
    player = after_recording(flow, x)
    with player:
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(x, torch.ones_like(x))
            assert forward_ad.unpack_dual(flow.transform.inverse(dual)[1]).tangent is not None
            assert forward_ad.unpack_dual(flow.inverse(dual)[1]).tangent is not None
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(flow.log_prob(x), expected)
        torch.func.jvp(lambda x: flow.transform(x)[0], (x,), (x,))


def taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.jit, "trace")


def switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.jit, "optimized_execution")


def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    def trace(*_: object, **__: object) -> None:
        raise NotImplementedError("not on this Python")

    monkeypatch.setattr(torch.jit, "trace", trace)


def deprecated(monkeypatch: pytest.MonkeyPatch) -> None:
    def trace(*_: object, **__: object) -> None:
        raise DeprecationWarning("is no more")

    monkeypatch.setattr(torch.jit, "trace", trace)


def selective(monkeypatch: pytest.MonkeyPatch) -> None:
    """TorchScript as it is, but for what a flow does."""
    trace = torch.jit.trace

    def of_one_tensor(function: object, examples: tuple[Tensor, ...], **settings: object) -> object:
        if len(examples) > 1:
            raise TypeError("unknown operation")
        return trace(function, examples, **settings)

    monkeypatch.setattr(torch.jit, "trace", of_one_tensor)


@pytest.mark.parametrize("how", [taken_away, switched_off, refusing, deprecated, selective])
def test_without_torchscript_flows_are_trained_unrecorded(
    how: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def losses() -> list[float]:
        run = Trainer(small("rq_spline_coupling"), maximum_likelihood(target, 32))
        found = [snapshot.loss for snapshot in run.run(STEPS)]
        recorded.append(sum(len(player.recordings) for player in run._players))
        return found

    target, recorded = targets.make("two_moons"), list[int]()
    expected = losses()
    torchscript_works.cache_clear()
    try:
        how(monkeypatch)
        assert losses() == losses() == expected
    finally:
        torchscript_works.cache_clear()
    assert recorded == [1, 0, 0]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (how is not selective)
    assert all("torch.jit.trace fails, so that flows are not recorded" in text for text in said)


def test_players_within_players_and_copies() -> None:
    flow, x = small("real_nvp"), points()
    outer, inner = after_recording(flow, x), Player(flow)
    with outer:
        with inner:
            assert flow.player is inner
            twin = copy.deepcopy(flow)
            assert twin.player is None
        with pytest.raises(RuntimeError, match="on purpose"), outer:
            raise RuntimeError("on purpose")
        assert "Play" in flow.log_prob(x).grad_fn.name()
    assert flow.player is None
    assert torch.equal(twin.log_prob(x), flow.log_prob(x))
    assert copy.deepcopy(outer).recordings == []


def test_another_thread_computes() -> None:
    flow, x = small("real_nvp"), points()
    player = after_recording(flow, x)
    names = []

    def ask() -> None:
        names.append(flow.log_prob(x).grad_fn.name())

    with player:
        ask()
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert "Play" in names[0]
    assert "Play" not in names[1]


def test_outside_nothing_is_played() -> None:
    flow, x = small("real_nvp"), points()
    after_recording(flow, x)
    assert "Play" not in flow.log_prob(x).grad_fn.name()


def test_of_batches_of_ever_new_sizes_the_last_are_remembered() -> None:
    flow = small("real_nvp")
    player = Player(flow)
    for n in range(2, 2 + MOST_KINDS + 3):
        for _ in range(WARM_UP + 1):
            with player:
                flow.log_prob(points(n))
    assert len(player.recordings) == MOST_KINDS
    with player:
        assert "Play" in flow.log_prob(points(n)).grad_fn.name()


def test_a_context_is_an_input() -> None:
    flow = catalog.make("real_nvp", 2, layers=2, seed=0, hidden=(8, 8), context=3)
    x, context = points(), points(dim=3)
    player = Player(flow)
    for _ in range(WARM_UP + 1):
        with player:
            flow.log_prob(x, context)
    with player:
        played = flow.log_prob(x, context.flip(0))
    assert len(player.recordings) == 1
    assert torch.equal(played, flow.log_prob(x, context.flip(0)))


def test_nothing_is_kept_from_step_to_step() -> None:
    flow, x = small("rq_spline_coupling"), points()
    player = after_recording(flow, x)

    def tensors() -> int:
        return sum(issubclass(type(thing), Tensor) for thing in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        counts = []
        for _ in range(4):
            flow.zero_grad()
            with player:
                loss = flow.log_prob(x).mean()
            loss.backward()
            del loss
            counts.append(tensors())
    finally:
        gc.enable()
    assert len(set(counts)) == 1


def test_recording_imports_no_compiler() -> None:
    """It costs a kernel two seconds and 80 MB."""
    code = """
import sys, torch
from flowviz.flows import catalog
from flowviz.flows.recording import player as players
players.WARM_UP = 0
flow = catalog.make("real_nvp", 2, layers=1, seed=0)
player = players.Player(flow)
for _ in range(3):
    with player:
        flow.log_prob(torch.randn(8, 2)).sum().backward()
assert player.recordings
print(*[name for name in ("torch._dynamo", "torch._inductor", "sympy") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


# Players made anew, copied, and resumed


def test_players_made_anew_in_each_round_say_once_that_they_record_nothing() -> None:
    flow = small("real_nvp")
    x = points(8)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(40):
            with Player(flow):
                flow.log_prob_backward(x)
    (warning,) = said
    assert "Make one player for the whole loop" in str(warning.message)
    assert warning.filename == __file__


def test_players_that_are_used_well_say_nothing() -> None:
    flow = small("real_nvp")
    x = points(8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(30):
            player = Player(flow)
            for _ in range(2):
                with player:
                    flow.log_prob(x)
        for _ in range(30):
            with Player(flow):
                pass
        for _ in range(11):
            with Player(flow):
                for _ in range(WARM_UP + 1):
                    flow.log_prob(x)


@pytest.mark.parametrize("how", [copy.deepcopy, lambda run: pickle.loads(pickle.dumps(run))])
@pytest.mark.parametrize("steps", [1, 5])
def test_a_copied_run_records_where_the_run_did(how: Callable[[Any], Any], steps: int) -> None:
    """What is played may differ in the last digit from what is computed."""
    target = targets.make("two_moons")
    flow = catalog.make("maf", layers=2, seed=0)
    run = Trainer(flow, variational(target, 32, path_gradient=True))
    list(run.run(steps))
    twin = how(run)
    for a, b in zip(run.run(9), twin.run(9), strict=True):
        assert (a.loss, a.gradient_norm) == (b.loss, b.gradient_norm)
