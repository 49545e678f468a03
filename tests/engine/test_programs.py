"""Programs, played by the page's engine, against PyTorch."""

from __future__ import annotations

import copy
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from flowviz import targets
from flowviz.flows import Flow, catalog
from flowviz.flows.programs import Program, numbers, passes
from flowviz.training import Trainer, maximum_likelihood
from tests.engine.engine_checks import dims_of, random_flow
from tests.engine.programs import by_torch, noise_of, play, train

POINTS = 50
KINDS = ["forward", "inverse", "descent", passes.PULLED]
"""The density by itself is what the descent begins with."""
SLACK = 8.0
"""A page's float32 may be so much less exact than PyTorch's, which rounds in another order."""
WITH_PROGRAM = [name for name in catalog.names() if not catalog.entry(name).page]


def flow_of(name: str) -> Flow:
    """A random one, its first statistics set."""
    flow = random_flow(name, dims_of(name, 2)[0], scale=0.5, dtype=torch.float32, layers=1)
    generator = torch.Generator().manual_seed(5)
    flow.train().log_prob(torch.randn(64, flow.dim, generator=generator))
    return flow.eval()


@pytest.mark.parametrize("name", WITH_PROGRAM)
def test_a_page_computes_what_pytorch_does(name: str, tmp_path: Path) -> None:
    flow = flow_of(name)
    z = torch.randn(POINTS, flow.dim, generator=torch.Generator().manual_seed(7))
    jobs, wanted = [], []
    for kind in KINDS:
        program = flow.program(kind)
        noise = noise_of(program, POINTS, seed=3)
        # Whatever log p* and its gradient are.
        inputs = {"z": z, "log_density": z.sum(-1), "pull": z.cos()}
        inputs = {name: inputs[name] for name in program.header["inputs"]}
        jobs.append({"program": program, "n": POINTS, "inputs": inputs, "noise": noise})
        torch.manual_seed(3)
        single = by_torch(flow, kind, **inputs)
        # Draws of another dtype are others: there PyTorch's own float32 is what can be had.
        double = single if noise else by_torch(flow.double(), kind, **inputs)
        flow.float()
        wanted.append((kind, single, double))
    for (kind, single, double), got in zip(wanted, play(jobs, tmp_path), strict=True):
        assert got.keys() == double.keys()
        for output, exact in double.items():
            for k, (page, torchs, true) in enumerate(
                zip(got[output], single[output], exact, strict=True)
            ):
                # Gradients that nearly vanish are differences of others that do not.
                scale = np.abs(true).max(initial=0) + 1e-2
                error, own = (
                    np.abs(page - true).max(initial=0),
                    np.abs(torchs - true).max(initial=0),
                )
                bar = SLACK * own + (1e-5 if true is not torchs else 1e-4) * scale
                assert error <= bar, f"{kind}: {output} {k} off by {error:.1e}, PyTorch {own:.1e}"


def test_a_pulled_descent_is_that_of_reverse_kl() -> None:
    def log_density(x: Tensor) -> Tensor:
        return -0.5 * (x.square().sum(-1) - 1).square() + torch.sin(x[..., 0])

    flow = random_flow("rq_spline_coupling", scale=0.5, dtype=torch.float64, layers=2)
    z = torch.randn(POINTS, 2, generator=torch.Generator().manual_seed(7)).double()
    x, log_prob = flow._forward_and_log_prob(z, None)
    losses = log_prob - log_density(x)
    wanted = torch.autograd.grad(losses.mean(), list(flow.parameters()))
    ends = x.detach().requires_grad_()
    logs = log_density(ends)
    (pull,) = torch.autograd.grad(logs.sum(), ends)
    got = by_torch(flow, passes.PULLED, z=z, log_density=logs.detach(), pull=pull)
    np.testing.assert_allclose(got["losses"][0], losses.detach(), atol=1e-12)
    assert len(got["gradients"]) == len(wanted)
    for gradient, one in zip(got["gradients"], wanted, strict=True):
        np.testing.assert_allclose(gradient, one, atol=1e-12)


@pytest.mark.parametrize(("name", "layers"), [("cnf", 1), ("cnf", 2), ("planar_cnf", 1)])
def test_flow_matching_in_a_page_is_pytorchs(name: str, layers: int, tmp_path: Path) -> None:
    flow = random_flow(name, scale=0.5, dtype=torch.float32, layers=layers)
    z = torch.randn(POINTS, 2, generator=torch.Generator().manual_seed(7))
    program = flow.program(passes.MATCHING)
    noise = noise_of(program, POINTS, seed=3)
    assert [tuple(one.shape) for one in noise] == [(POINTS, 2), (POINTS, layers)]
    job = {"program": program, "n": POINTS, "inputs": {"z": z}, "noise": noise}
    (got,) = play([job], tmp_path)
    torch.manual_seed(3)
    wanted = by_torch(flow, passes.MATCHING, z=z)
    for output, numbers_ in wanted.items():
        for page, torchs in zip(got[output], numbers_, strict=True):
            scale = np.abs(torchs).max(initial=0) + 1e-2
            assert np.abs(page - torchs).max(initial=0) < 1e-4 * scale, output


def test_layers_traces_and_stretches_of_any_number_of_points(tmp_path: Path) -> None:
    coupling = random_flow("rq_spline_coupling", scale=0.5, dtype=torch.float32, layers=3)
    ode = random_flow("cnf", scale=0.5, dtype=torch.float32, layers=1)
    z = torch.randn(1000, 2, generator=torch.Generator().manual_seed(7))
    jobs: list[dict[str, Any]] = [
        {"program": coupling.program("log_prob"), "n": n, "inputs": {"z": z[:n]}, "noise": []}
        for n in (1, 2, 1000)
    ]
    jobs.append(
        {
            "program": ode.program("forward", stretches=4),
            "n": 5,
            "inputs": {"z": z[:5]},
            "noise": [],
        }
    )
    *logs, traced = play(jobs, tmp_path)
    for job, got in zip(jobs, logs, strict=False):
        with torch.no_grad():
            wanted = coupling.log_prob(z[: job["n"]]).numpy()
        assert np.allclose(got["log_prob"][0], wanted, rtol=2e-5, atol=1e-3)
    exact = ode.unrolled(4).trace(z[:5]).states.detach().numpy()
    assert np.abs(np.stack(traced["states"]) - exact).max() < 1e-4


@pytest.mark.parametrize("name", ["real_nvp", "rq_spline_coupling", "batch_norm"])
def test_training_in_a_page_is_that_of_the_trainer(name: str, tmp_path: Path) -> None:
    # What one normalisation does the next takes off again: of two the gradient is rounding.
    options: dict[str, Any] = {"layers": 1} if name == "batch_norm" else {"hidden": (16, 16)}
    flow = catalog.make(name, seed=0, **options)
    x = torch.randn(128, 2, generator=torch.Generator().manual_seed(1)) * 0.5 + 1
    program = flow.program("descent")
    trainer = Trainer(flow, lambda flow: -flow.log_prob(x).mean(), learning_rate=0.01, average=5)
    wanted = [trainer.step().loss for _ in range(20)]  # type: ignore[union-attr]
    report = train(program, x, tmp_path, steps=20, learningRate=0.01, average=5)
    assert np.abs(np.array(report["losses"]) - wanted).max() < 2e-5 * max(map(abs, wanted))
    for got, now in (("parameters", flow), ("averaged", trainer.averaged)):
        assert np.abs(np.array(report[got]) - numbers(now)).max() < 1e-3, got
    assert report["failure"] is None


def test_a_page_learns_as_much_as_the_trainer(tmp_path: Path) -> None:
    # Of other batches: after some dozen steps no two runs have the same numbers any more.
    target, flow = targets.make("eight_gaussians"), catalog.make("rq_spline_coupling", seed=0)
    x, held_out = (target.sample(n, torch.Generator().manual_seed(n)) for n in (50_000, 10_000))
    program = flow.program("descent")
    settings = {"batch": 256, "average": 80, "learningRate": 3e-3}
    report = train(program, x, tmp_path, steps=1_500, **settings)
    trainer = Trainer(flow, maximum_likelihood(target, 256), average=80, seed=0)
    for _ in range(1_500):
        trainer.step()
    learned = copy.deepcopy(flow)
    passes.learn(learned, np.array(report["averaged"], np.float32))
    entropy = float(-target.log_prob(held_out).mean())
    with torch.no_grad():
        kls = [-float(f.log_prob(held_out).mean()) - entropy for f in (learned, trainer.averaged)]
    assert max(kls) < 0.03 and abs(kls[0] - kls[1]) < 0.01, kls


def test_a_loss_that_is_not_finite_keeps_the_last_good_weights(tmp_path: Path) -> None:
    flow = catalog.make("real_nvp", layers=2, seed=0, hidden=(16, 16))
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(1))
    report = train(flow.program("descent"), x, tmp_path, steps=400, learningRate=1e30, average=0)
    assert report["steps"] < 400
    assert re.match(
        r"Training stopped at step \d+: the (loss|gradient) is not finite", report["failure"]
    )
    assert np.isfinite(report["parameters"]).all()


def test_a_changed_instruction_is_seen(tmp_path: Path) -> None:
    """Each kind of instruction of a spline's descent, put wrong once, changes what comes out."""
    flow = random_flow("rq_spline_coupling", scale=0.5, dtype=torch.float32, layers=1)
    *_, last = (one for one in flow.modules() if isinstance(one, torch.nn.Linear))
    last.bias.data[0] += 100  # whose exponential is too large, if softmax does not find the largest
    z = torch.randn(POINTS, 2, generator=torch.Generator().manual_seed(7))
    program = flow.program("descent")
    mutants = list(_mutants(program))
    assert len(mutants) > 15
    jobs = [
        {"program": one, "n": POINTS, "inputs": {"z": z}, "noise": []}
        for one in (program, *(mutant for _, mutant in mutants))
    ]
    right, *wrong = play(jobs, tmp_path)
    for (what, _), got in zip(mutants, wrong, strict=True):
        same = all(
            np.allclose(a, b, rtol=1e-4, atol=1e-6)
            for output in right
            for a, b in zip(right[output], got[output], strict=True)
        )
        assert not same, f"{what} changed and nothing came of it"


SWAPPED = {"add": "sub", "sub": "add", "mul": "add", "div": "mul", "minimum": "maximum"}
SWAPPED |= {"maximum": "minimum", "lt": "ge", "ge": "lt", "le": "gt", "gt": "le", "where": "lerp"}


def _mutants(program: Program) -> Any:
    """The program with one instruction, or one kernel, of each kind put wrong."""
    seen: Counter[str] = Counter()
    for k, kernel in enumerate(program.header["each"]):
        for i, (name, *_) in enumerate(kernel.get("do", [])):
            other = SWAPPED.get(
                name, "neg" if name != "neg" and len(kernel["do"][i]) == 2 else None
            )
            seen[name] += 1
            # |x| asks here whether x lies in the box, as its points do.
            if name == "abs" or other is None or seen[name] != 1:
                continue
            header = copy.deepcopy(program.header)
            header["each"][k]["do"][i][0] = other
            yield name, Program(header, program.block)
        seen[kernel["op"]] += 1
        if kernel["op"] in ("sum", "max") and seen[kernel["op"]] == 1:
            header = copy.deepcopy(program.header)
            header["each"][k]["op"] = "min"
            yield kernel["op"], Program(header, program.block)


def test_what_a_page_has_learned_is_taken_back_number_by_number() -> None:
    for model in (flow_of("real_nvp"), flow_of("batch_norm")):
        copied = copy.deepcopy(model)
        passes.learn(copied, 2 * numbers(model))
        np.testing.assert_array_equal(numbers(copied), 2 * numbers(model))
        for parameter, twice in zip(model.parameters(), copied.parameters(), strict=True):
            at = passes.place(model, parameter)
            there = numbers(copied)[at : at + parameter.numel()]
            assert np.array_equal(there, twice.detach().reshape(-1).numpy())
    model = flow_of("real_nvp")
    for wrong, words in ((np.zeros(3, np.float32), "numbers, got"), (np.nan, "finite")):
        given = wrong if isinstance(wrong, np.ndarray) else numbers(model) * np.float32(wrong)
        with pytest.raises(ValueError, match=words):
            passes.learn(model, given)
    with pytest.raises(ValueError, match="has not learned"):
        passes.place(model, torch.zeros(2))
    untouched = catalog.make("actnorm", layers=1)
    passes.learn(untouched, numbers(untouched))
    before = numbers(untouched)
    untouched.train().log_prob(5 + torch.randn(64, 2))
    np.testing.assert_array_equal(numbers(untouched), before)
