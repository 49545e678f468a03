"""The ways into a trainer: tables, loaders, plain losses, functions as densities."""

from __future__ import annotations

import copy
import functools
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader, TensorDataset

from flowviz import targets
from flowviz.flows import Flow, catalog
from flowviz.objectives import Estimate, forward_kl
from flowviz.training import Trainer, flow_matching, maximum_likelihood, variational

X = torch.randn(300, 3, generator=Generator().manual_seed(0)) @ torch.tensor(
    [[1.0, 0.5, 0.0], [0.0, 1.0, -0.7], [0.0, 0.0, 0.4]]
)
C = X[:, :1] * 2 + 1


def small(**options: Any) -> Flow:
    return catalog.make("real_nvp", dim=3, layers=2, hidden=(8,), seed=0, **options)


def losses(flow: Flow, objective: Any, steps: int = 6, **settings: Any) -> list[float]:
    return [snapshot.loss for snapshot in Trainer(flow, objective, **settings).run(steps)]


# Data


def test_rows_of_a_table_are_drawn() -> None:
    flow = small()
    seen: list[Tensor] = []
    objective = maximum_likelihood(X.double(), 64)
    for seed in range(3):
        x, context = objective.source.draw(flow, Generator().manual_seed(seed))
        assert x.shape == (64, 3) and x.dtype == torch.float32 and context is None
        assert (x.unsqueeze(1) == X).all(-1).any(-1).all(), "each of them is a row"
        seen.append(x)
    assert not torch.equal(seen[0], seen[1])
    x, _ = maximum_likelihood(X, 300).source.draw(flow, Generator())
    assert torch.equal(x, X), "few rows are taken all, and each once"


def test_a_table_is_learned_with_and_without_a_context() -> None:
    rate = {"learning_rate": 2e-2}
    plain = losses(small(), maximum_likelihood(X, 128), 90, **rate)
    given = losses(small(context=1), maximum_likelihood(X, 128, context=C), 90, **rate)
    entropy = 1.5 * np.log(2 * np.pi * np.e) + np.log(0.4)
    assert entropy - 0.2 < np.mean(plain[-30:]) < entropy + 0.25
    assert np.mean(given[-30:]) < np.mean(plain[-30:]) - 0.5, "the context tells x₁"


def test_rows_and_their_contexts_stay_together() -> None:
    x, context = maximum_likelihood(X, 32, context=C).source.draw(
        small(context=1), Generator().manual_seed(0)
    )
    assert context is not None and torch.equal(context, x[:, :1] * 2 + 1)


def loader(shuffle: bool = True, **options: Any) -> DataLoader:
    return DataLoader(TensorDataset(X, C), batch_size=128, shuffle=shuffle, **options)


def test_a_loader_goes_through_the_data_epoch_after_epoch() -> None:
    source = maximum_likelihood(loader()).source
    flow, generator = small(context=1), Generator().manual_seed(0)
    before = torch.random.get_rng_state()
    epochs = []
    for _ in range(2):
        xs, contexts = zip(*(source.draw(flow, generator) for _ in range(3)), strict=True)
        assert [len(x) for x in xs] == [128, 128, 44]
        rows = torch.cat(xs)
        assert torch.equal(torch.cat(contexts), rows[:, :1] * 2 + 1)
        assert torch.equal(rows.sort(0).values, X.sort(0).values)
        epochs.append(rows)
    assert not torch.equal(*epochs), "shuffled anew"
    assert torch.equal(torch.random.get_rng_state(), before), "the global generator moved"


def test_a_seed_decides_about_the_order_of_a_loader() -> None:
    runs = []
    for noise, seed in ((1, 0), (2, 0), (3, 1)):
        torch.manual_seed(noise)
        runs.append(losses(small(context=1), maximum_likelihood(loader()), seed=seed))
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("own", [False, True], ids=["global generator", "one of its own"])
def test_a_copy_finds_its_place_in_the_loader(own: bool) -> None:
    options = {"generator": Generator().manual_seed(3)} if own else {}
    run = Trainer(small(context=1), maximum_likelihood(loader(**options)), seed=0)
    list(run.run(5))
    twin = copy.deepcopy(run)
    ahead = [snapshot.loss for snapshot in twin.run(5)]
    assert [snapshot.loss for snapshot in run.run(5)] == ahead


def test_flow_matching_takes_the_same_data() -> None:
    x = 500 + 20 * X[:, :2]
    for data, batch in ((x, 64), (DataLoader(TensorDataset(x), batch_size=64), None)):
        flow = catalog.make("cnf", hidden=(16,), seed=0).standardised(x)
        found = losses(flow, flow_matching(data, batch), 3)
        assert all(loss < 10 for loss in found), "in the units of the base"


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: maximum_likelihood(X.numpy()), TypeError, "data must be a tensor.* got ndarray"),
        (lambda: maximum_likelihood(X.tolist()), TypeError, "data must be a tensor.* got list"),
        (lambda: maximum_likelihood(X.long()), TypeError, "floating-point tensor .*int64"),
        (lambda: maximum_likelihood(X[0]), ValueError, r"x must be \[N, D\]"),
        (lambda: maximum_likelihood(X / 0), ValueError, "holds NaN or infinity"),
        (lambda: maximum_likelihood(X, 0), ValueError, "batch must be a whole number ≥ 1"),
        (lambda: maximum_likelihood(X, context=C[1:]), ValueError, "300 rows and the context 299"),
        (lambda: maximum_likelihood(loader(), 64), ValueError, "batch size of its own"),
        (lambda: maximum_likelihood(loader(), context=C), ValueError, "a loader yields"),
    ],
)
def test_data_that_are_refused(make: Callable[[], Any], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_loaders_that_yield_something_else() -> None:
    three = DataLoader(TensorDataset(X, X, X), batch_size=8)
    labels = DataLoader(TensorDataset(X, torch.zeros(300).long()), batch_size=8)
    empty = DataLoader(TensorDataset(X[:5]), batch_size=8, drop_last=True)
    for data, error, words in (
        (three, ValueError, "this one has 3 parts"),
        (labels, TypeError, "its context must be a floating-point tensor"),
        (empty, ValueError, "yields no batch"),
    ):
        with pytest.raises(error, match=words):
            Trainer(small(context=1), maximum_likelihood(data)).step()


# Losses and densities


def test_a_plain_loss_is_an_objective() -> None:
    def objective(flow: Flow, generator: Generator) -> Estimate:
        return forward_kl(flow, X)

    @functools.wraps(objective)
    def wrapped(*args: Any) -> Estimate:
        return objective(*args)

    class Module(torch.nn.Module):
        def forward(self, flow: Flow) -> Tensor:
            return -flow.log_prob(X).mean()

    class Method:
        def loss(self, flow: Flow) -> Tensor:
            return -flow.log_prob(X).mean()

    def with_data(flow: Flow, x: Tensor = X) -> Tensor:
        return -flow.log_prob(x).mean()

    def loss(flow: Flow, generator: Generator | None = None) -> Tensor:
        assert generator is not None
        return -flow.log_prob(X).mean()

    expected = losses(small(), objective)
    for same in (lambda flow: -flow.log_prob(X).mean(), wrapped, Module(), Method().loss, loss):
        assert losses(small(), same) == pytest.approx(expected, rel=1e-6)
    for partial in (with_data, functools.partial(with_data, x=X)):
        assert losses(small(), partial) == pytest.approx(expected, rel=1e-6)
    snapshot = Trainer(small(), with_data).step()
    assert snapshot is not None and np.isnan(snapshot.standard_error)


def test_a_function_is_a_density() -> None:
    target = targets.make("two_moons")
    found = [
        losses(catalog.make("real_nvp", layers=2, seed=0), variational(p))
        for p in (target, target.log_density)
    ]
    assert found[0] == found[1]
    for wrong in (torch.distributions.Normal, 3):
        with pytest.raises(TypeError, match="target must"):
            variational(wrong)  # type: ignore[arg-type]


# Data of another scale


FAR = 1000 + 50 * X


@pytest.mark.parametrize("how", ["rows", "a loss of one's own"])
def test_data_beyond_the_box_are_said_at_once(how: str) -> None:
    flow = catalog.make("rq_spline_coupling", dim=3, layers=2, seed=0)
    own = how != "rows"
    objective: Any = (lambda f: -f.log_prob(FAR).mean()) if own else maximum_likelihood(FAR)
    (snapshot,) = Trainer(flow, objective).run(100)
    assert snapshot.failure is not None and snapshot.step == 0
    for words in ("gradient is exactly 0", r"100% of the batch", "[−5, 5]", "flow.standardised(x)"):
        assert words in snapshot.failure
    assert "learning rate" not in snapshot.failure


def test_a_share_beyond_the_box_is_said_and_what_lies_within_is_not() -> None:
    some = X.clone()
    some[:90, 1] += 40
    for x, share in ((some, "30%"), (X, None), (FAR, None)):
        flow = catalog.make("rq_spline_coupling", dim=3, layers=2, seed=0)
        flow = flow.standardised(x) if x is FAR else flow
        run = Trainer(flow, maximum_likelihood(x))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            assert [s.failure for s in run.run(3)] == [None] * 3
        assert [str(w.message)[:3] for w in said] == ([share] if share else [])


@pytest.mark.parametrize("name", ["real_nvp", "maf", "glow", "batch_norm", "cnf"])
def test_data_far_from_the_base_are_said_where_no_layer_fetches_them(name: str) -> None:
    options = {"hidden": (4,)} if "hidden" in catalog.entry(name).options else {}

    def said(standardised: bool) -> list[str]:
        flow = catalog.make(name, dim=3, layers=1, seed=0, **options)
        flow = flow.standardised(FAR) if standardised else flow
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            list(Trainer(flow, maximum_likelihood(FAR)).run(2))
        return [str(warning.message) for warning in found]

    assert said(standardised=True) == []
    if name in ("glow", "batch_norm"):
        assert said(standardised=False) == []
    else:
        (words,) = said(standardised=False)
        assert re.search(r"[\d,]+ or more .*flow\.standardised\(x\)", words)


def test_targets_are_of_the_scale_of_a_flow() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in targets.names():
            target = targets.make(name)
            if target.has_samples:
                flow = catalog.make("rq_spline_coupling", layers=1, hidden=(4,), seed=0)
                Trainer(flow, maximum_likelihood(target, 256)).step()


def test_standardised_data_of_any_scale_are_learned_in_their_units() -> None:
    flow = small().standardised(FAR)
    found = losses(flow, maximum_likelihood(FAR, 128), 90, learning_rate=2e-2)
    entropy = 1.5 * np.log(2 * np.pi * np.e) + np.log(0.4) + 3 * np.log(50)
    assert entropy - 0.3 < np.mean(found[-30:]) < entropy + 0.3


def test_a_smaller_learning_rate_is_advised_only_where_it_can_help() -> None:
    def broken(flow: Flow) -> Tensor:
        return flow.log_prob(X).mean() * torch.nan

    run = Trainer(small(), broken)
    snapshot = run.step()
    assert snapshot is not None and snapshot.failure is not None
    assert "No step was made" in snapshot.failure and "learning rate" not in snapshot.failure
    run = Trainer(small(), maximum_likelihood(X))
    list(run.run(2))
    run.objective = broken
    snapshot = run.step()
    assert snapshot is not None and "smaller learning rate" in str(snapshot.failure)
