"""The trainer: reproducible, cancellable within a step, and stopped by what is not finite."""

from __future__ import annotations

import copy
import functools
import math
import pickle
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Generator, Tensor
from torch.distributions import MultivariateNormal

from flowviz.flows import Flow, catalog
from flowviz.objectives import Estimate, forward_kl
from flowviz.training import Snapshot, Trainer, flow_matching, maximum_likelihood, variational


class TwoGaussians:
    """½ 𝒩((−2, 0), I/4) + ½ 𝒩((2, 0), I/4)."""

    def __init__(self) -> None:
        self.parts = [MultivariateNormal(torch.tensor([s, 0.0]), torch.eye(2) / 4) for s in (-2, 2)]

    def sample(
        self,
        n: int,
        generator: Generator | None = None,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        side = torch.randint(2, (n, 1), generator=generator) * 4.0 - 2.0
        noise = torch.randn(n, 2, generator=generator) / 2
        return (noise + side * torch.tensor([1.0, 0.0])).to(device, dtype)

    def log_density(self, x: Tensor) -> Tensor:
        return torch.logsumexp(torch.stack([p.log_prob(x) for p in self.parts]), 0) - math.log(2)


def state(flow: Flow) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in flow.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def trainer(name: str = "real_nvp", **settings: object) -> Trainer:
    flow = catalog.make(name, layers=2, seed=0)
    return Trainer(flow, maximum_likelihood(TwoGaussians(), 64), **settings)  # type: ignore[arg-type]


REPRODUCED = ["glow", "rq_spline_coupling", "planar", "ffjord", "contractive_roulette"]


@pytest.mark.parametrize(
    "objective",
    [
        maximum_likelihood(TwoGaussians(), 64),
        variational(TwoGaussians(), 64),
        variational(TwoGaussians(), 64, path_gradient=True),
    ],
    ids=["forward", "reverse", "path"],
)
@pytest.mark.parametrize("name", REPRODUCED)
def test_a_seed_reproduces_the_weights(name: str, objective: object) -> None:
    runs = []
    for noise in (1, 2):
        flow = catalog.make(name, layers=2, seed=0)
        run = Trainer(flow, objective, seed=5)  # type: ignore[arg-type]
        torch.manual_seed(noise)
        losses = [snapshot.loss for snapshot in run.run(10)]
        runs.append((losses, state(flow)))
    assert runs[0][0] == runs[1][0] and same(runs[0][1], runs[1][1])
    other = catalog.make(name, layers=2, seed=0)
    list(Trainer(other, objective, seed=6).run(10))  # type: ignore[arg-type]
    assert not same(state(other), runs[0][1])


def test_draws_leave_the_global_generator_alone() -> None:
    run = trainer()
    before = torch.random.get_rng_state()
    run.step()
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("name", ["real_nvp", "glow"])
@pytest.mark.parametrize("at", [1, 2])
def test_a_cancelled_step_leaves_no_trace(name: str, at: int) -> None:
    """Glow's first batch sets its normalisation: cancelled, that is undone too."""
    for steps in (0, 3):
        run = trainer(name)
        for _ in range(steps):
            run.step()
        before, calls = state(run.flow), iter(range(1, 9))
        assert run.step(cancelled=lambda: next(calls) >= at) is None  # noqa: B023
        assert same(state(run.flow), before)
        assert run.steps == steps and not run.flow.training
        assert run.step() is not None and not same(state(run.flow), before)


def test_run_ends_when_cancelled() -> None:
    run = trainer()
    seen: list[Snapshot] = []
    for snapshot in run.run(100, cancelled=lambda: len(seen) >= 3):
        seen.append(snapshot)
    assert [s.step for s in seen] == [1, 2, 3] and run.steps == 3


def test_run_yields_every_so_often_and_at_the_end() -> None:
    run = trainer()
    assert [s.step for s in run.run(10, every=4)] == [4, 8, 10]
    assert [s.step for s in run.run(3, every=2)] == [12, 13]
    assert [s.step for s in run.run(2, every=50)] == [15]
    last = run.step()
    assert last is not None and last.failure is None
    assert math.isfinite(last.loss) and last.standard_error > 0 and last.gradient_norm > 0
    assert last.steps_per_second > 0
    for steps, every in ((0, 1), (1, 0), (-1, 1)):
        with pytest.raises(ValueError, match="must be a whole number ≥ 1"):
            next(run.run(steps, every=every))


def poisoned(at: int, poison: Callable[[Tensor], Tensor]) -> Callable[[Flow, Generator], Estimate]:
    """Maximum likelihood whose ``at``-th loss is not what it should be."""
    target, calls = TwoGaussians(), count()

    def objective(flow: Flow, generator: Generator) -> Estimate:
        estimate = forward_kl(flow, target.sample(64, generator))
        return Estimate(
            poison(estimate.value) if next(calls) == at else estimate.value, estimate.standard_error
        )

    return objective


def count() -> Iterator[int]:
    step = 0
    while True:
        step += 1
        yield step


@pytest.mark.parametrize(
    ("what", "poison"),
    [
        ("loss", lambda loss: loss * torch.nan),
        ("loss", lambda loss: loss * torch.inf),
        # Finite, but with an infinite slope.
        ("gradient", lambda loss: loss + torch.sqrt((loss - loss.detach()).abs())),
    ],
    ids=["nan", "inf", "gradient"],
)
def test_what_is_not_finite_stops_the_run(what: str, poison: Callable[[Tensor], Tensor]) -> None:
    flow = catalog.make("glow", layers=2, seed=0)
    run = Trainer(flow, poisoned(4, poison))
    states, snapshots = [state(flow)], []
    for snapshot in run.run(10):
        states.append(state(flow))
        snapshots.append(snapshot)
    assert [s.failure is None for s in snapshots] == [True, True, True, False]
    failure = snapshots[-1].failure
    assert failure == run.failure and failure is not None
    assert f"stopped at step 4: the {what} is not finite" in failure
    assert "last good step" in failure
    # The third update led to the bad loss: the weights before it are the last seen to be good.
    assert same(state(flow), states[2])
    assert torch.isfinite(flow.log_prob(TwoGaussians().sample(16))).all()
    # The optimiser goes on from there.
    again = list(run.run(5))
    assert [s.failure for s in again] == [None] * 5 and run.failure is None
    assert all(torch.isfinite(p).all() for p in flow.parameters())


@pytest.mark.parametrize("name", ["real_nvp", "rq_spline_coupling", "planar", "glow", "radial"])
@pytest.mark.parametrize("rate", [1e3, 1e20, 1e38])
def test_a_huge_learning_rate_never_leaves_bad_weights(name: str, rate: float) -> None:
    run = trainer(name, learning_rate=rate)
    snapshots = list(run.run(20))
    assert snapshots[-1].failure is not None or len(snapshots) == 20
    assert all(torch.isfinite(p).all() for p in run.flow.parameters()) or not run.failure
    if run.failure:
        assert "smaller learning rate" in run.failure
        assert torch.isfinite(run.flow.log_prob(torch.zeros(1, 2))).all()


def test_an_error_of_the_objective_is_passed_on_and_leaves_no_trace() -> None:
    def objective(flow: Flow, generator: Generator) -> Estimate:
        flow.log_prob(torch.randn(8, 2))
        raise RuntimeError("the target broke")

    flow = catalog.make("glow", seed=0)
    before = state(flow)
    with pytest.raises(RuntimeError, match="the target broke"):
        Trainer(flow, objective).step()
    assert same(state(flow), before) and not flow.training


def test_nan_in_the_data_is_named() -> None:
    class Broken(TwoGaussians):
        def sample(self, n: int, *args: object) -> Tensor:
            return torch.full((n, 2), torch.nan)

    flow = catalog.make("glow", seed=0)
    before = state(flow)
    with pytest.raises(ValueError, match="points given to the flow hold NaN"):
        Trainer(flow, maximum_likelihood(Broken(), 8)).step()
    assert same(state(flow), before)


class Spoilt:
    """Maximum likelihood whose ``at``-th loss is NaN."""

    def __init__(self, at: int) -> None:
        self.at, self.calls = at, 0

    def __call__(self, flow: Flow, generator: Generator) -> Estimate:
        self.calls += 1
        x = TwoGaussians().sample(32, generator, dtype=flow.like.dtype)
        estimate = forward_kl(flow, x)
        value = estimate.value * (torch.nan if self.calls == self.at else 1)
        return Estimate(value, estimate.standard_error)


def as_it_is(run: Trainer) -> Trainer:
    return run


def through_pickle(run: Trainer) -> Trainer:
    twin: Trainer = pickle.loads(pickle.dumps(run))
    return twin


def moved(run: Trainer) -> Trainer:
    run.flow.double()
    return run


def moved_twice(run: Trainer) -> Trainer:
    run.flow.double().float()
    return run


@pytest.mark.parametrize("changed", [as_it_is, copy.deepcopy, through_pickle, moved, moved_twice])
@pytest.mark.parametrize("later", [0, 1, 3])
@pytest.mark.parametrize("name", ["real_nvp", "batch_norm"])
def test_rollback_wherever_the_trainer_went(
    changed: Callable[[Trainer], Trainer], later: int, name: str
) -> None:
    """``later`` good steps follow the change, then one whose loss is NaN."""
    flow = catalog.make(name, layers=2, seed=0)
    run = Trainer(flow, Spoilt(5 + later), learning_rate=1e-2, average=4)
    states = [state(flow) for _ in run.run(4)]
    run = changed(run)
    states += [state(run.flow) for _ in run.run(later + 1)]
    assert run.failure is not None and len(states) == 5 + later
    # Before the last update: the weights of which the loss is known to be good.
    *_, good, bad, found = states
    for name, value in found.items():
        assert torch.equal(value, good[name].to(value)), name
    assert not all(torch.equal(found[name], bad[name].to(found[name])) for name in found)
    run.step()
    assert run.averaged.like.dtype == run.flow.like.dtype


def test_another_optimiser_s_scheduler_wraps_its_step() -> None:
    flow = catalog.make("real_nvp", layers=2, seed=0)
    optimizer = torch.optim.Adam(flow.parameters(), 1e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.1)
    run = Trainer(flow, maximum_likelihood(TwoGaussians(), 64), optimizer=optimizer)
    for _ in run.run(2):
        scheduler.step()
    assert math.isclose(optimizer.param_groups[0]["lr"], 1e-5)


def test_methods_behind_a_wrapper() -> None:
    class Timed(torch.optim.SGD):
        pass

    class Logged(TwoGaussians):
        pass

    def through(method: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(method)
        def call(*args: object, **options: object) -> object:
            return method(*args, **options)

        return call

    flow = catalog.make("real_nvp", layers=2, seed=0)
    optimizer, target = Timed(flow.parameters(), 1e-2), Logged()
    # Of the class's function, which names self, and of the bound one.
    optimizer.step = through(Timed.step).__get__(optimizer)  # type: ignore[method-assign]
    optimizer.zero_grad = through(optimizer.zero_grad)  # type: ignore[method-assign]
    target.sample = functools.wraps(Logged.sample)(lambda *args: TwoGaussians().sample(*args))  # type: ignore[method-assign]
    assert Trainer(flow, maximum_likelihood(target, 32), optimizer=optimizer).step() is not None


def test_an_optimiser_over_some_of_the_parameters() -> None:
    """The same as if the others were frozen: in the gradient, its length, and its clipping."""
    runs = []
    for frozen in (False, True):
        flow = catalog.make("real_nvp", layers=3, seed=0)
        for layer in flow.bijections[:2]:
            layer.requires_grad_(not frozen)
        optimizer = torch.optim.SGD(flow.bijections[2].parameters(), 1e-2)
        objective = maximum_likelihood(TwoGaussians(), 64)
        run = Trainer(flow, objective, optimizer=optimizer, max_gradient_norm=0.5)
        runs.append([snapshot.gradient_norm for snapshot in run.run(8)])
    assert runs[0] == pytest.approx(runs[1], rel=1e-5)
    # Those thawed later are trained from then on.
    optimizer.add_param_group({"params": list(flow.bijections[1].requires_grad_().parameters())})
    before = torch.nn.utils.parameters_to_vector(flow.bijections[1].parameters())
    list(run.run(2))
    after = torch.nn.utils.parameters_to_vector(flow.bijections[1].parameters())
    assert not torch.equal(before, after)


def test_an_optimiser_of_another_flow() -> None:
    flow = catalog.make("real_nvp", layers=2, seed=0)
    optimizer = torch.optim.Adam(copy.deepcopy(flow).parameters())
    with pytest.raises(ValueError, match="none of the flow's parameters"):
        Trainer(flow, plain, optimizer=optimizer)
    run = Trainer(flow, plain)
    flow.load_state_dict(state(flow), assign=True)
    with pytest.raises(ValueError, match="none of the flow's parameters"):
        run.step()


def test_parameters_of_the_objective_s_own_are_trained_and_rolled_back() -> None:
    flow = catalog.make("real_nvp", layers=2, seed=0)
    scale, calls = torch.nn.Parameter(torch.ones(())), count()

    def loss(flow: Flow) -> Tensor:
        value = -flow.log_prob(torch.ones(4, 2) * scale).mean()
        return value * (torch.nan if next(calls) == 3 else 1)

    run = Trainer(flow, loss, optimizer=torch.optim.SGD([*flow.parameters(), scale], 1e-2))
    run.step()
    first = scale.item()
    run.step()
    second = scale.item()
    assert 1 != first != second
    snapshot = run.step()
    assert snapshot is not None and snapshot.failure is not None and scale.item() == first


def test_long_gradients_are_shortened() -> None:
    flow = catalog.make("plu", layers=1, seed=0)

    def steep(flow: Flow, generator: Generator) -> Estimate:
        estimate = forward_kl(flow, TwoGaussians().sample(64, generator))
        return Estimate(1000 * estimate.value, estimate.standard_error)

    lengths = []

    class Spy(torch.optim.SGD):
        def step(self, closure: None = None) -> None:  # type: ignore[override]
            gradients = [p.grad.flatten() for p in flow.parameters() if p.grad is not None]
            lengths.append(float(torch.cat(gradients).norm()))

    run = Trainer(flow, steep, optimizer=Spy(flow.parameters(), 1e-3), max_gradient_norm=2.5)
    snapshot = run.step()
    assert snapshot is not None and snapshot.gradient_norm > 2.5
    assert math.isclose(lengths[0], 2.5, rel_tol=1e-5)


@pytest.mark.parametrize("kind", ["SGD", "AdamW", "RMSprop", "Adagrad"])
def test_any_optimiser_of_torch(kind: str) -> None:
    flow = catalog.make("real_nvp", layers=2, seed=0)
    optimizer = getattr(torch.optim, kind)(flow.parameters(), lr=1e-2)
    run = Trainer(flow, maximum_likelihood(TwoGaussians(), 128), optimizer=optimizer)
    losses = [snapshot.loss for snapshot in run.run(40)]
    assert sum(losses[-5:]) < sum(losses[:5])


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_two_gaussians_are_learned(direction: str) -> None:
    """By the divergence that is trained: where it is small the other can be anything."""
    target = TwoGaussians()
    flow = catalog.make("rq_spline_coupling", layers=3, hidden=(32, 32), seed=4)
    forward = direction == "forward"
    objective = maximum_likelihood(target, 256) if forward else variational(target, 256)
    list(Trainer(flow, objective, learning_rate=1e-3).run(600, every=600))
    generator = Generator().manual_seed(1)
    with torch.no_grad():
        if forward:
            x = target.sample(20_000, generator)
            kl = float((target.log_density(x) - flow.log_prob(x)).mean())
        else:
            x, log_prob = flow.rsample_and_log_prob(20_000, generator=generator)
            kl = float((log_prob - target.log_density(x)).mean())
    right = float((x[:, 0] > 0).float().mean())
    assert -0.01 < kl < 0.12 and 0.3 < right < 0.7, f"{kl:.3f} nats, {right:.0%} on the right"


def test_bad_settings() -> None:
    with pytest.raises(ValueError, match="max_gradient_norm must be a finite number > 0, got 0"):
        trainer(max_gradient_norm=0)
    with pytest.raises(ValueError, match="learning rate must be a finite number > 0, got -1"):
        trainer(learning_rate=-1)
    for make in (maximum_likelihood, variational):
        for batch in (0, 2.5, -1):
            with pytest.raises(ValueError, match=f"batch must be a whole number ≥ 1, got {batch}"):
                make(TwoGaussians(), batch)  # type: ignore[operator]
    frozen = catalog.make("plu", seed=0).requires_grad_(False)
    with pytest.raises(ValueError, match="nothing to train"):
        Trainer(frozen, maximum_likelihood(TwoGaussians()))
    with pytest.raises(ValueError, match="does not depend on the flow"):
        Trainer(
            catalog.make("plu", seed=0),
            lambda flow, generator: Estimate.of(torch.zeros(3, requires_grad=True)),
        ).step()


def plain(flow: Flow, generator: Generator) -> Estimate:
    return forward_kl(flow, TwoGaussians().sample(16, generator))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"flow": "f"}, "flow must be a Module, got str"),
        ({"objective": "a"}, "objective must be a function, got str"),
        ({"optimizer": "a"}, "optimizer must have a method zero_grad, .* got str"),
        ({"optimizer": torch.optim.Adam}, "optimizer must be an object, .* the class .*Adam"),
        ({"learning_rate": math.inf}, "learning rate must be a finite number > 0, got inf"),
        ({"learning_rate": "a"}, "learning rate must be a finite number > 0, got 'a'"),
        ({"max_gradient_norm": "a"}, "max_gradient_norm must be a finite number > 0, got 'a'"),
        ({"seed": "a"}, "seed must be a whole number ≥ 0, got 'a'"),
        ({"seed": 1.5}, r"seed must be a whole number ≥ 0, got 1\.5"),
        ({"seed": 2**70}, "seed must be less than 2⁶³"),
        ({"average": -1}, "average must be a whole number ≥ 0, got -1"),
        ({"average": 0.9}, r"average must be a whole number ≥ 0, got 0\.9"),
        ({"average": True}, "average must be a whole number ≥ 0, got True"),
        ({"steps": -1}, "steps must be a whole number ≥ 0, got -1"),
    ],
    ids=lambda value: "" if isinstance(value, str) else repr(value),
)
def test_settings_that_are_refused(settings: dict[str, object], words: str) -> None:
    given = {"flow": catalog.make("plu", seed=0), "objective": plain, **settings}
    with pytest.raises((TypeError, ValueError), match=words):
        Trainer(**given)  # type: ignore[arg-type]


def test_no_limit_to_the_gradient() -> None:
    assert trainer(max_gradient_norm=math.inf).step() is not None


def test_runs_are_refused_when_they_are_asked_for() -> None:
    run = trainer()
    for steps, every in (("a", 1), (2.5, 1), (True, 1), (1, "a"), (0, 1)):
        with pytest.raises(ValueError, match="must be a whole number ≥ 1"):
            run.run(steps, every=every)  # type: ignore[arg-type]
    for call in (lambda: run.run(1, cancelled=True), lambda: run.step(True)):  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="cancelled must be a function, got bool"):
            call()


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (lambda e: 1.5, "result must be an Estimate or a scalar tensor, got float"),
        (lambda e: e.value * torch.ones(2), r"value must be a scalar, got shape \[2\]"),
        (lambda e: e.value.detach(), "does not depend on the flow"),
        (lambda e: Estimate(e.value * torch.ones(3), e.standard_error), r"scalar, got shape \[3\]"),
        (lambda e: Estimate(1.5, e.standard_error), "value must be a Tensor, got float"),  # type: ignore[arg-type]
        (lambda e: Estimate(e.value, "a"), "standard_error must be a Tensor, got str"),  # type: ignore[arg-type]
        (lambda e: Estimate(e.value.detach(), e.standard_error), "does not depend on the flow"),
    ],
    ids=["float", "tensor", "constant tensor", "vector", "value", "error", "constant"],
)
def test_what_an_objective_returns(result: Callable[[Estimate], object], words: str) -> None:
    flow = catalog.make("glow", layers=2, seed=0)
    before = state(flow)
    run = Trainer(flow, lambda flow, generator: result(plain(flow, generator)))  # type: ignore[arg-type, return-value]
    with pytest.raises((TypeError, ValueError), match=words):
        run.step()
    assert same(state(flow), before) and run.steps == 0


def test_targets_that_are_none() -> None:
    words = r"must be a tensor \[N, D\], a DataLoader or a target .* got str"
    with pytest.raises(TypeError, match=words):
        maximum_likelihood("two_moons")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"target must have a method log_density, .* got str"):
        variational("two_moons")  # type: ignore[arg-type]
    normal = torch.distributions.Normal(torch.zeros(2), 1.0)
    words = r"a method sample\(n, generator, device, dtype\), .* Normal's takes \(sample_shape="
    for objective in (maximum_likelihood, flow_matching):
        with pytest.raises(TypeError, match=words):
            objective(normal)
    with pytest.raises(ValueError, match="path_gradient must be True or False, got 'yes'"):
        variational(TwoGaussians(), path_gradient="yes")  # type: ignore[arg-type]
