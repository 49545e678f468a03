"""Batch normalisation in training and in evaluation, and the multi-scale architecture."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor, nn

from flowviz.flows import Bijection, Composition, Flow, Inverse, catalog, jacobian
from flowviz.flows.distributions import StandardNormal
from flowviz.flows.linear import PLU, Diagonal
from flowviz.flows.normalisation import BatchNorm, MultiScale, Partial
from flowviz.objectives import Estimate, forward_kl, reverse_kl
from flowviz.training import Trainer
from tests.engine.engine_checks import (
    assert_density,
    assert_gradcheck,
    assert_layer,
    network_calls,
    points,
    random_flow,
)

# Batch normalisation


def used(dim: int = 3, dtype: torch.dtype = torch.float64) -> BatchNorm:
    """A layer that has seen data, with s and b away from 0."""
    generator = torch.Generator().manual_seed(0)
    layer = BatchNorm(dim).to(dtype)
    for parameter in layer.parameters():
        parameter.data.copy_(0.5 * torch.randn(dim, generator=generator))
    layer.running_mean.copy_(3 * torch.randn(dim, generator=generator))
    layer.running_var.copy_(9 * torch.rand(dim, generator=generator) + 0.2)
    return layer


def of_torch(layer: BatchNorm) -> nn.BatchNorm1d:
    other = nn.BatchNorm1d(layer.dim).double()
    other.weight.data.copy_(layer.log_scale.exp())
    other.bias.data.copy_(layer.shift)
    other.running_mean.copy_(layer.running_mean)
    other.running_var.copy_(layer.running_var)
    return other


def statistics(layer: BatchNorm) -> Tensor:
    return torch.stack([layer.running_mean, layer.running_var]).clone()


def test_data_to_base_is_the_layer_of_torch() -> None:
    ours = used()
    theirs = of_torch(ours)
    for seed in range(3):
        x = (4 * points(20, 3, seed) + 7).requires_grad_()
        y = x.detach().clone().requires_grad_()
        u, logabsdet = ours.inverse(x)
        expected = theirs(y)
        assert torch.allclose(u, expected)
        variance = x.var(0, correction=0) + theirs.eps
        by_hand = (ours.log_scale - variance.log() / 2).sum()
        assert torch.allclose(logabsdet, by_hand.expand(20))
        # The gradient goes through the batch's statistics as well.
        u.sin().sum().backward()
        expected.sin().sum().backward()
        assert torch.allclose(x.grad, y.grad)
        assert torch.allclose(ours.running_mean, theirs.running_mean)
        assert torch.allclose(ours.running_var, theirs.running_var)
    assert torch.allclose(ours.shift.grad, theirs.bias.grad)
    assert torch.allclose(ours.log_scale.grad, theirs.weight.grad * theirs.weight)
    x = points(5, 3)
    assert torch.allclose(ours.eval().inverse(x)[0], theirs.eval()(x))


def test_evaluation_is_the_layer_of_nflows() -> None:
    normalization = pytest.importorskip("nflows.transforms.normalization")
    ours = used().eval()
    theirs = normalization.BatchNorm(3).double().eval()
    weight = ours.log_scale.exp() - theirs.eps
    theirs.unconstrained_weight.data.copy_(torch.log(torch.expm1(weight)))
    theirs.bias.data.copy_(ours.shift)
    theirs.running_mean.copy_(ours.running_mean)
    theirs.running_var.copy_(ours.running_var)
    x = points(20, 3)
    for direction, expected in ((ours.inverse, theirs.forward), (ours, theirs.inverse)):
        for mine, other in zip(direction(x), expected(x), strict=True):
            assert torch.allclose(mine, other)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_in_evaluation_the_directions_are_inverse_to_each_other(dtype: torch.dtype) -> None:
    layer = used(dtype=dtype).eval()
    before = statistics(layer)
    assert_layer(layer, points(50, 3, dtype=dtype))
    assert_layer(layer, 500 * points(50, 3, dtype=dtype))
    x = points(50, 3, dtype=dtype)
    alone = torch.stack([layer.inverse(point)[0] for point in x])
    assert torch.allclose(alone, layer.inverse(x)[0])
    assert torch.equal(statistics(layer), before)
    if dtype == torch.float64:
        assert_density(Flow(StandardNormal(2), [used(2)]).double().eval())


def test_in_training_base_to_data_uses_the_running_statistics() -> None:
    layer = used()
    z = points(50, 3)
    evaluated = layer.eval()(z)
    before = statistics(layer)
    layer.train()
    for trained, expected in zip(layer(z), evaluated, strict=True):
        assert torch.equal(trained, expected)
    assert torch.equal(statistics(layer), before)
    u, _ = layer.inverse(z)
    assert torch.allclose(u.mean(0), layer.shift)
    assert torch.allclose(u.std(0, correction=0), layer.log_scale.exp(), rtol=1e-4)
    assert (statistics(layer) != before).all()


def test_starts_with_the_statistics_of_the_base() -> None:
    layer = BatchNorm(2)
    assert torch.equal(statistics(layer), torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    assert {"running_mean", "running_var"} <= set(dict(layer.named_buffers()))
    x = points(5, 2, dtype=torch.float32)
    for direction in (layer.eval(), layer.inverse):
        assert torch.allclose(direction(x)[0], x, rtol=1e-5, atol=1e-5)
    other = BatchNorm(2)
    other.load_state_dict(used(2, torch.float32).state_dict())
    assert torch.equal(statistics(other), statistics(used(2, torch.float32)))


def test_batches_that_have_no_statistics() -> None:
    layer = used()
    before = statistics(layer)
    x = points(5, 3)
    for batch in (x[:1], x[:0], x[0]):
        expected = layer.eval().inverse(batch)
        for result, value in zip(layer.train().inverse(batch), expected, strict=True):
            assert torch.equal(result, value)
    assert torch.equal(statistics(layer), before)
    for bad in (torch.nan, torch.inf):
        broken = x.clone()
        broken[3, 1] = bad
        layer.inverse(broken)
        assert torch.equal(statistics(layer)[:, 1], before[:, 1])
        assert layer.running_mean.isfinite().all() and layer.running_var.isfinite().all()
    equal = layer.inverse(torch.ones(5, 3, dtype=torch.float64))
    assert equal[0].isfinite().all() and equal[1].isfinite().all()
    # A batch of any leading shape is one batch.
    y = points(24, 3)
    assert torch.allclose(
        layer.inverse(y.reshape(2, 3, 4, 3))[0].reshape(24, 3), layer.inverse(y)[0]
    )


def test_gradients_in_training() -> None:
    layer = used().train()
    for second in (False, True):
        assert_gradcheck(Inverse(layer), points(5, 3), second=second)


def test_both_directions_in_one_loss() -> None:
    """The running statistics move in place, and no graph that is still to be used needs them."""
    flow = Flow(StandardNormal(3), [used(), used()]).double().train()
    x = points(20, 3)
    z, logabsdet = flow(x)
    (flow.log_prob(x).mean() + z.square().mean() + logabsdet.mean()).backward()
    loss = reverse_kl(flow, lambda y: -y.square().sum(-1), 50, path_gradient=True)
    (loss.value + forward_kl(flow, x).value).backward()
    assert all(p.grad.isfinite().all() for p in flow.parameters())


def far_data(generator: Generator, n: int = 256) -> Tensor:
    return 100 + 20 * torch.randn(n, 2, generator=generator)


def test_training_on_data_far_from_the_base() -> None:
    """The first step is on normalised data already, and evaluation has caught up in the end."""
    flow = catalog.make("batch_norm", seed=0)
    trainer = Trainer(flow, lambda flow, g: forward_kl(flow, far_data(g)), learning_rate=1e-2)
    losses = [snapshot.loss for snapshot in trainer.run(120)]
    entropy = 2 * (0.5 * math.log(2 * math.pi * math.e) + math.log(20))
    assert abs(losses[0] - entropy) < 0.3
    x = far_data(Generator().manual_seed(5), 20_000)
    assert abs(-float(flow.log_prob(x).mean().detach()) - entropy) < 0.05
    samples = flow.sample(20_000, generator=Generator().manual_seed(6))
    assert torch.allclose(samples.mean(0), x.mean(0), atol=2)
    assert torch.allclose(samples.std(0), x.std(0), rtol=0.1)


@pytest.mark.parametrize("end", ["fails", "is cancelled", "raises"])
def test_a_step_that_ends_badly_leaves_no_trace_in_the_statistics(end: str) -> None:
    flow = catalog.make("batch_norm", seed=0)
    poisoned = False

    def objective(flow: Flow, generator: Generator) -> Estimate:
        loss = forward_kl(flow, far_data(generator) + (1e4 if poisoned else 0))
        if poisoned and end == "raises":
            raise RuntimeError("no data left")
        value = loss.value * torch.nan if poisoned and end == "fails" else loss.value
        return Estimate(value, loss.standard_error)

    trainer = Trainer(flow, objective)
    list(trainer.run(3))
    layer = flow.bijections[0]
    last_good = statistics(layer)
    trainer.step()
    before = statistics(layer)
    assert (before != last_good).all() and (before[0] > 10).all()
    poisoned = True
    if end == "raises":
        with pytest.raises(RuntimeError, match="no data left"):
            trainer.step()
    else:
        snapshot = trainer.step(cancelled=lambda: end == "is cancelled")
        assert (snapshot is None) == (end == "is cancelled")
    # A failure goes back to the state in which the last good loss was computed.
    assert torch.equal(statistics(layer), last_good if end == "fails" else before)


# Multi-scale


def linear_scales(*dims: int) -> list[Bijection]:
    scales: list[Bijection] = [PLU(d, torch.Generator().manual_seed(d)).double() for d in dims]
    for scale in scales:
        scale.log_diagonal.data.normal_()
        scale.shift.data.normal_()
    return scales


def test_each_part_factored_out_adds_its_own_base_log_density() -> None:
    """From data to base as Dinh et al. 2017 write it, half after half."""
    scales = linear_scales(7, 4, 2, 1)
    flow = Flow(StandardNormal(7), [MultiScale(scales)])
    x = points(20, 7)
    log_prob, rest, parts = torch.zeros(20).double(), x, []
    for scale, left in zip(scales, (4, 2, 1, 0), strict=True):
        rest, logabsdet = scale.inverse(rest)
        part, rest = rest[:, : scale.dim - left], rest[:, scale.dim - left :]
        log_prob += logabsdet + StandardNormal(part.shape[1]).log_prob(part)
        parts.append(part)
    u, _ = flow.inverse(x)
    assert torch.allclose(u, torch.cat(parts, -1))
    assert torch.allclose(flow.log_prob(x), log_prob)
    # Sampling joins the parts again, the smallest scale first.
    joined = parts[-1]
    joined = scales[-1](joined)[0]
    for scale, part in zip(scales[-2::-1], parts[-2::-1], strict=True):
        joined = scale(torch.cat([part, joined], -1))[0]
    assert torch.allclose(joined, x) and torch.allclose(flow(u)[0], x)


def test_layers_of_all_scales_are_seen_in_the_trace() -> None:
    big = Composition([PLU(4), Diagonal(4)])
    multi = MultiScale([big, Diagonal(2), Diagonal(1)])
    assert [layer.describe() for layer in multi] == [
        "Diagonal of the last 1",
        "Diagonal of the last 2",
        "PLU",
        "Diagonal",
    ]
    assert multi.dim == 4 and len(Flow(StandardNormal(4), multi).bijections) == 4


@pytest.mark.parametrize("dim", [2, 3, 4, 7])
def test_multi_scale_is_a_bijection_with_the_mask_that_it_states(dim: int) -> None:
    flow = random_flow("multi_scale", dim, 0.4, scales=3)
    whole = flow.transform
    z = points(32, dim) / 2
    assert_layer(whole, z)
    J, mask = jacobian(whole, z).detach(), whole.jacobian_mask()
    assert (J[:, ~mask] == 0).all() and (J != 0).any(0).equal(mask)
    part = Partial(dim, PLU(1))
    assert part.jacobian_mask().equal(torch.eye(dim, dtype=torch.bool))
    assert (
        Partial(3, PLU(2))
        .jacobian_mask()
        .equal(torch.tensor([[1, 0, 0], [0, 1, 1], [0, 1, 1]]).bool())
    )


def test_scales_of_the_catalogue() -> None:
    def dims(dim: int, scales: int) -> list[int]:
        flow = catalog.make("multi_scale", dim, 1, seed=0, hidden=(4,), scales=scales)
        return [getattr(b, "bijection", b).dim for b in flow.bijections][::-1]

    assert dims(8, 1) == [8] and dims(8, 2) == [8, 4] and dims(8, 9) == [8, 4, 2, 1]
    assert dims(7, 3) == [7, 4, 2] and dims(2, 2) == [2, 1] and dims(3, 2) == [3, 2]
    flow = catalog.make("multi_scale", 8, 3, seed=0, hidden=(4,), scales=2)
    for direction in (flow, flow.inverse):
        assert network_calls(flow, lambda: direction(torch.zeros(2, 8))) == 6  # noqa: B023
    for scales in (0, -1, 1.5, None):
        with pytest.raises(ValueError, match=f"scales must be a whole number ≥ 1, got {scales}"):
            catalog.make("multi_scale", scales=scales)


def test_scales_that_do_not_fit() -> None:
    for dims in ((), (2, 2), (2, 3), (4, 2, 2)):
        with pytest.raises(ValueError, match="decreasing numbers of coordinates, got") as error:
            MultiScale([Diagonal(d) for d in dims])
        assert str(list(dims)) in str(error.value)
    with pytest.raises(ValueError, match="Diagonal maps 3 of 2 coordinates"):
        Partial(2, Diagonal(3))


# Known mistakes, which the tests above must see


def variance_that_starts_at_zero(patch: pytest.MonkeyPatch) -> None:
    init = BatchNorm.__init__

    def wrong(self: BatchNorm, dim: int) -> None:
        init(self, dim)
        self.running_var.zero_()

    patch.setattr(BatchNorm, "__init__", wrong)


def batch_statistics_from_base_to_data(patch: pytest.MonkeyPatch) -> None:
    forward = BatchNorm._forward

    def wrong(self: BatchNorm, z: Tensor, context: None) -> tuple[Tensor, Tensor]:
        self._statistics(z)
        return forward(self, z, context)

    patch.setattr(BatchNorm, "_forward", wrong)


def _on_statistics(
    patch: pytest.MonkeyPatch, change: Callable[[BatchNorm, Tensor, Tensor, Tensor], object]
) -> None:
    right = BatchNorm._statistics

    def wrong(self: BatchNorm, z: Tensor) -> object:
        return change(self, z, *right(self, z))

    patch.setattr(BatchNorm, "_statistics", wrong)


def batch_statistics_in_evaluation(patch: pytest.MonkeyPatch) -> None:
    def change(self: BatchNorm, z: Tensor, mean: Tensor, variance: Tensor) -> object:
        rows = z.reshape(-1, self.dim)
        return (rows.mean(0), rows.var(0, correction=0)) if len(rows) > 1 else (mean, variance)

    _on_statistics(patch, change)


def statistics_without_gradient(patch: pytest.MonkeyPatch) -> None:
    _on_statistics(patch, lambda self, z, mean, variance: (mean.detach(), variance.detach()))


def unbiased_variance_in_the_map(patch: pytest.MonkeyPatch) -> None:
    def change(self: BatchNorm, z: Tensor, mean: Tensor, variance: Tensor) -> object:
        return mean, variance * len(z) / (len(z) - 1) if self.training else variance

    _on_statistics(patch, change)


def momentum_the_wrong_way(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("flowviz.flows.normalisation.batch_norm.MOMENTUM", 0.9)


def statistics_poisoned_by_nan(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(torch, "where", lambda condition, a, b: a)


def determinant_without_the_variance(patch: pytest.MonkeyPatch) -> None:
    for name in ("_forward", "_inverse"):
        right = getattr(BatchNorm, name)
        sign = -1 if name == "_forward" else 1

        def wrong(  # type: ignore[no-untyped-def]
            self: BatchNorm, z: Tensor, context: None, right=right, sign=sign
        ):
            image, _ = right(self, z, context)
            return image, (sign * self.log_scale.sum()).expand(z.shape[:-1])

        patch.setattr(BatchNorm, name, wrong)


def scales_in_the_wrong_order(patch: pytest.MonkeyPatch) -> None:
    init = Composition.__init__

    def wrong(self: Composition, bijections: list[Bijection]) -> None:
        init(self, list(bijections)[:: -1 if isinstance(self, MultiScale) else 1])

    patch.setattr(Composition, "__init__", wrong)


def the_other_half_factored_out(patch: pytest.MonkeyPatch) -> None:
    for name in ("_forward", "_inverse"):
        right = getattr(Partial, name)

        def wrong(self: Partial, z: Tensor, context: None, right=right):  # type: ignore[no-untyped-def]
            image, logabsdet = right(self, z.flip(-1), context)
            return image.flip(-1), logabsdet

        patch.setattr(Partial, name, wrong)


MISTAKES = [
    (variance_that_starts_at_zero, test_starts_with_the_statistics_of_the_base),
    (batch_statistics_from_base_to_data, test_in_training_base_to_data_uses_the_running_statistics),
    (batch_statistics_in_evaluation, test_data_to_base_is_the_layer_of_torch),
    (statistics_without_gradient, test_data_to_base_is_the_layer_of_torch),
    (unbiased_variance_in_the_map, test_data_to_base_is_the_layer_of_torch),
    (momentum_the_wrong_way, test_data_to_base_is_the_layer_of_torch),
    (statistics_poisoned_by_nan, test_batches_that_have_no_statistics),
    (determinant_without_the_variance, test_data_to_base_is_the_layer_of_torch),
    (scales_in_the_wrong_order, test_each_part_factored_out_adds_its_own_base_log_density),
    (the_other_half_factored_out, test_each_part_factored_out_adds_its_own_base_log_density),
]


@pytest.mark.parametrize(
    ("mutate", "test"), MISTAKES, ids=[mutate.__name__ for mutate, _ in MISTAKES]
)
def test_the_tests_see(
    mutate: Callable[[pytest.MonkeyPatch], None],
    test: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mutate(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        test()
