"""The average of the weights: what it is made of, and what never gets into it."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor

from flowviz import targets
from flowviz.flows import Flow, catalog
from flowviz.objectives import Estimate, forward_kl
from flowviz.training import Trainer, maximum_likelihood

TARGET = targets.make("two_moons")
OBJECTIVE = maximum_likelihood(TARGET, 64)


def trainer(name: str = "glow", average: int = 6, **settings: object) -> Trainer:
    hidden = {"hidden": (16, 16)} if "hidden" in catalog.entry(name).options else {}
    flow = catalog.make(name, layers=2, seed=0, **hidden)
    return Trainer(flow, OBJECTIVE, average=average, **settings)  # type: ignore[arg-type]


def weights(flow: Flow) -> list[Tensor]:
    return [p.detach().clone() for p in flow.parameters()]


def state(flow: Flow) -> dict[str, Tensor]:
    return copy.deepcopy(flow.state_dict())


def same(a: Flow, b: Flow | dict[str, Tensor]) -> bool:
    b = b.state_dict() if isinstance(b, Flow) else b
    return all(torch.equal(value, b[name]) for name, value in a.state_dict().items())


def held_out(flow: Flow) -> float:
    """KL(p* ‖ p) on draws that it was not trained on."""
    x = TARGET.sample(4000, Generator().manual_seed(1))
    with torch.no_grad():
        return float((TARGET.log_prob(x) - flow.log_prob(x)).mean())


def test_what_it_is_made_of() -> None:
    """η = 9: the rates are 1, 1, 10/11, 10/12, … and never less than 1/N."""
    run, rate = trainer("real_nvp", 2), 1.0
    expected = weights(run.flow)
    for step in range(15):
        rate = max(1 / 2, min(1.0, 10 / (step + 9)))
        pairs = zip(expected, weights(run.flow), strict=True)
        expected = [mean + rate * (w - mean) for mean, w in pairs]
        run.step()
    assert rate == 1 / 2 and not run.averaged.training
    for found, value in zip(weights(run.averaged), expected, strict=True):
        torch.testing.assert_close(found, value)


def test_what_the_first_batch_sets_is_set_in_it() -> None:
    run = trainer("actnorm")
    run.step()
    x = TARGET.sample(2000, Generator().manual_seed(1))
    u, _ = run.averaged.inverse(x)
    assert u.mean(0).abs().max() < 0.3 and (u.std(0) - 1).abs().max() < 0.3


def test_without_it_the_flow_itself_is_shown() -> None:
    run = trainer(average=0)
    assert run.averaged is run.flow


def test_it_changes_nothing_of_the_run() -> None:
    runs = [trainer(average=n) for n in (0, 5)]
    losses = [[snapshot.loss for snapshot in run.run(15)] for run in runs]
    assert losses[0] == losses[1] and same(runs[0].flow, runs[1].flow)
    assert not same(runs[1].averaged, runs[1].flow)


def test_it_fits_better_than_what_is_trained() -> None:
    run = trainer("rq_spline_coupling", 60, learning_rate=1e-2)
    live, averaged = [], []
    for snapshot in run.run(400, every=50):
        if snapshot.step >= 200:
            live.append(held_out(run.flow))
            averaged.append(held_out(run.averaged))
    assert sum(averaged) < 0.8 * sum(live), (averaged, live)
    # And it trails behind nowhere.
    early = trainer("rq_spline_coupling", 200, learning_rate=1e-2)
    list(early.run(60))
    assert held_out(early.averaged) < held_out(early.flow) + 0.05


def test_statistics_and_what_is_not_trained_are_those_of_the_flow() -> None:
    run = trainer("batch_norm", 4)
    frozen = next(run.flow.parameters())
    list(run.run(10))
    for (name, mine), its in zip(run.averaged.named_buffers(), run.flow.buffers(), strict=True):
        assert torch.equal(mine, its), name
    frozen.requires_grad_(False)
    again = Trainer(run.flow, OBJECTIVE, average=4)
    with torch.no_grad():
        frozen += 1
    list(again.run(3))
    assert torch.equal(next(again.averaged.parameters()), frozen)


def broken(how: str) -> Callable[[Flow, Generator], Estimate]:
    """Maximum likelihood whose eighth loss is none."""
    calls = itertools.count(1)

    def objective(flow: Flow, generator: Generator) -> Estimate:
        estimate = forward_kl(flow, TARGET.sample(64, generator))
        if next(calls) == 8:
            if how == "raises":
                raise RuntimeError("the target broke")
            if how == "nan":
                return Estimate(estimate.value * math.nan, estimate.standard_error)
        return estimate

    return objective


@pytest.mark.parametrize("how", ["raises", "nan", "cancelled"])
def test_a_step_that_is_none_leaves_no_trace(how: str) -> None:
    run = trainer("batch_norm", 4)
    run.objective = broken(how)
    list(run.run(7))
    before = state(run.averaged)
    if how == "cancelled":
        asked = itertools.count()
        assert run.step(cancelled=lambda: next(asked) >= 1) is None
    elif how == "nan":
        snapshot = run.step()
        assert snapshot is not None and snapshot.failure is not None
    else:
        with pytest.raises(RuntimeError, match="the target broke"):
            run.step()
    assert same(run.averaged, before)
    assert run.step() is not None and not same(run.averaged, before)


@pytest.mark.parametrize("name", ["rq_spline_coupling", "glow", "planar"])
@pytest.mark.parametrize("rate", [1e3, 1e20, 1e38])
def test_bad_weights_never_get_into_it(name: str, rate: float) -> None:
    flow = catalog.make(name, layers=2, seed=0)
    run = Trainer(flow, OBJECTIVE, learning_rate=rate, average=10)
    last = list(run.run(20))[-1]
    assert all(p.isfinite().all() for p in run.averaged.parameters())
    if last.failure:
        assert run.averaged.log_prob(torch.zeros(1, 2)).isfinite().all()


def through_pickle(run: Trainer) -> Trainer:
    twin: Trainer = pickle.loads(pickle.dumps(run))
    return twin


@pytest.mark.parametrize("copied", [copy.deepcopy, through_pickle], ids=["copy", "pickle"])
def test_a_copy_of_a_trainer_goes_on_as_it_would_have(copied: Callable[[Trainer], Trainer]) -> None:
    run = trainer()
    list(run.run(12))
    twin, before = copied(run), state(run.averaged)
    ahead = [snapshot.loss for snapshot in twin.run(8)]
    assert same(run.averaged, before)
    assert [snapshot.loss for snapshot in run.run(8)] == ahead
    assert same(run.averaged, twin.averaged) and same(run.flow, twin.flow)
    # What a dropped step is undone to is the copy's own.
    before = state(twin.flow)
    assert twin.step(cancelled=lambda: True) is None and same(twin.flow, before)


def test_weights_that_were_bad_when_given_are_refused_in_words() -> None:
    flow = catalog.make("real_nvp", layers=2, seed=0)
    with torch.no_grad():
        next(flow.parameters()).fill_(torch.nan)
    with pytest.raises(ValueError, match="NaN"):
        Trainer(flow, OBJECTIVE, average=8, steps=40).step()


def test_a_trained_flow_goes_on_from_its_weights() -> None:
    first = trainer("real_nvp", 8)
    list(first.run(41))
    flow = trainer("real_nvp").flow
    flow.load_state_dict(first.averaged.state_dict())
    run = Trainer(flow, OBJECTIVE, average=8, steps=41)
    assert same(run.averaged, first.averaged)
    assert run.step().step == 42  # type: ignore[union-attr]
    moved = weights(run.flow)
    assert run.step().step == run.steps == 43  # type: ignore[union-attr]
    for found, then, w in zip(weights(run.averaged), weights(first.averaged), moved, strict=True):
        torch.testing.assert_close(found, torch.lerp(then, w, 10 / 51))
