"""A run that is stopped and goes on from a file is the run that was not stopped, to the bit."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader, TensorDataset

from flowviz import targets
from flowviz.flows import Flow, catalog
from flowviz.inference import VAE, NeuralPosterior, two_moons_simulator
from flowviz.objectives import Estimate, forward_kl
from flowviz.training import (
    Adam,
    Adversarial,
    Discriminator,
    Trainer,
    flow_matching,
    maximum_likelihood,
    variational,
)

TARGET = targets.make("two_moons")
X = torch.randn(100, 2, generator=Generator().manual_seed(0))


def flow(name: str, **options: Any) -> Flow:
    return catalog.make(name, layers=2, seed=0, **options)


def of(name: str, objective: Callable[[], Any], **settings: Any) -> Callable[[], Trainer]:
    return lambda: Trainer(flow(name), objective(), **settings)


def forward() -> Any:
    return maximum_likelihood(TARGET, 32)


def loader() -> Any:
    return maximum_likelihood(DataLoader(TensorDataset(X), batch_size=40, shuffle=True))


def adversarial() -> Any:
    torch.manual_seed(0)
    return Adversarial("jensen_shannon", TARGET.sample, Discriminator(2, 8), batch=32, steps=2)


def with_sgd() -> Trainer:
    made = flow("real_nvp")
    optimizer = torch.optim.SGD(made.parameters(), 1e-2, momentum=0.9)
    return Trainer(made, forward(), optimizer=optimizer)


def with_a_scale_of_its_own() -> Trainer:
    made, scale = flow("real_nvp"), torch.nn.Parameter(torch.ones(()))

    def loss(flow: Flow, generator: Generator) -> Tensor:
        return -flow.log_prob(TARGET.sample(32, generator) * scale).mean() - 2 * scale.log()

    return Trainer(made, loss, optimizer=torch.optim.Adam([*made.parameters(), scale]))


def vae() -> Trainer:
    torch.manual_seed(0)
    made = VAE(flow("iaf", context=4, hidden=(8,)), 2, hidden=(8,))
    return Trainer(made, lambda vae, g: vae.loss(TARGET.sample(16, g), g), average=4)  # type: ignore[arg-type]


def posterior() -> Trainer:
    made = NeuralPosterior(
        flow("maf", context=2), two_moons_simulator(), Generator().manual_seed(0)
    )
    return Trainer(made, made.objective(32))  # type: ignore[arg-type]


RUNS: dict[str, Callable[[], Trainer]] = {
    "forward": of("rq_spline_coupling", forward, average=8),
    "started later": of("glow", forward, average=8, steps=100),
    "normalised": of("batch_norm", forward),
    "random": of("contractive_roulette", forward),
    "reverse": of("planar", lambda: variational(TARGET, 32), seed=3),
    "path": of("maf", lambda: variational(TARGET, 32, path_gradient=True)),
    "rows": of("nice", lambda: maximum_likelihood(X, 20)),
    "loader": of("real_nvp", loader),
    "adversarial": of("real_nvp", adversarial),
    "matching": lambda: Trainer(catalog.make("cnf", seed=0), flow_matching(TARGET, 32)),
    "another optimiser": with_sgd,
    "parameters of its own": with_a_scale_of_its_own,
    "autoencoder": vae,
    "posterior": posterior,
}


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    """As ``torch.load`` opens files of strangers: tensors and numbers alone."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded


@pytest.mark.parametrize("kind", RUNS)
def test_it_goes_on_to_the_bit(kind: str) -> None:
    """Stopped where the flow's passes have been recorded: their last digit is the recording's."""
    run = RUNS[kind]()
    list(run.run(14))
    saved = run.state_dict()
    kept = through_a_file(saved)
    expected = list(run.run(4))
    again = RUNS[kind]()
    list(again.run(2))
    again.load_state_dict(through_a_file(saved))
    found = list(again.run(4))
    for a, b in zip(expected, found, strict=True):
        assert (a.step, a.loss, a.gradient_norm) == (b.step, b.loss, b.gradient_norm)
    for one, other in ((run.flow, again.flow), (run.averaged, again.averaged)):
        for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
            assert torch.equal(a, b)
    # What was saved did not move on with the run.
    for name, tensor in kept["flow"].items():
        assert torch.equal(saved["flow"][name], tensor)


def test_what_it_goes_back_to_is_saved_too() -> None:
    def spoilt(flow: Flow, generator: Generator) -> Estimate:
        value = forward_kl(flow, TARGET.sample(16, generator))
        return Estimate(value.value * math.nan, value.standard_error)

    run, again = (Trainer(flow("glow"), forward()) for _ in range(2))
    list(run.run(3))
    again.load_state_dict(run.state_dict())
    for each in (run, again):
        each.objective = spoilt
        failed = each.step()
        assert failed is not None and "smaller learning rate" in str(failed.failure)
    for a, b in zip(run.flow.state_dict().values(), again.flow.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_states_that_are_refused() -> None:
    run = Trainer(flow("real_nvp"), forward())
    run.step()
    state = run.state_dict()
    average = Trainer(flow("real_nvp"), forward(), average=3)
    for other, given, words in (
        (run, {}, "no state of a trainer"),
        (run, run.flow.state_dict(), "no state of a trainer"),
        (run, {**state, "optimizer": torch.optim.SGD(run.parameters, 1.0).state_dict()}, "Adam"),
        (Trainer(flow("nice"), forward()), state, "of another flow"),
        (Trainer(catalog.make("real_nvp", layers=3), forward()), state, "of another flow"),
        (average, state, "this trainer has an average, that of the state had none"),
        (run, average.state_dict(), "this trainer has no average, that of the state had one"),
        (Trainer(flow("real_nvp"), lambda f: f.log_prob(X).mean()), state, "kind of objective"),
    ):
        before = other.flow.state_dict()
        before = {name: tensor.clone() for name, tensor in before.items()}
        with pytest.raises(ValueError, match=words):
            other.load_state_dict(given)
        assert all(torch.equal(t, before[n]) for n, t in other.flow.state_dict().items())

    class Stepping:
        def zero_grad(self) -> None: ...
        def step(self) -> None: ...

    with pytest.raises(TypeError, match="optimizer must have a method state_dict"):
        Trainer(flow("real_nvp"), forward(), optimizer=Stepping()).state_dict()


def test_adam_goes_on_and_follows_its_parameters() -> None:
    def step(weights: list[Tensor], optimizer: Adam, k: int) -> None:
        optimizer.zero_grad()
        sum((w - k).square().sum() for w in weights).backward()  # type: ignore[union-attr]
        optimizer.step()

    weights, others = ([torch.nn.Parameter(torch.ones(2, 3)) for _ in range(2)] for _ in range(2))
    one, other = Adam(weights, 0.1, (0.8, 0.9), 1e-6), Adam(others)
    for k in range(3):
        step(weights, one, k)
    state = through_a_file(one.state_dict())
    for mine, its in zip(others, weights, strict=True):
        mine.data.copy_(its)
    other.load_state_dict(state)
    for k in range(3):
        step(weights, one, k)
        step(others, other, k)
    assert all(map(torch.equal, weights, others))
    # Moved, the moments follow.
    for w in others:
        w.data = w.data.double()
    step(others, other, 9)
    step(weights, one, 9)
    for mine, its in zip(others, weights, strict=True):
        torch.testing.assert_close(mine, its.double())
    for bad in ({}, {"first": []}, 3, Adam([torch.nn.Parameter(torch.ones(2))]).state_dict()):
        with pytest.raises(ValueError, match="state"):
            other.load_state_dict(bad)  # type: ignore[arg-type]
