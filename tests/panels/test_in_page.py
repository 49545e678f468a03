"""What a page of its own is given: targets that it draws from, and fits as good as the kernel's."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from flowviz import targets
from flowviz.flows import Flow, catalog
from flowviz.flows.programs import learn, numbers, of_density
from flowviz.panels.parts.handover import go_on, moments_of
from flowviz.panels.parts.in_page import BLOCK, DIGITS, FINE, _multiples, rounded, target_in_page
from flowviz.panels.parts.model_on_grid import ModelOnGrid
from flowviz.targets import Target, formula
from flowviz.training import Trainer, maximum_likelihood, variational
from flowviz.widgets.page import Moments
from flowviz.widgets.page.packed import packed
from tests.engine.programs import play
from tests.unpacked import unpacked

PAGE = Path(__file__).parents[2] / "flowviz" / "widgets" / "page"
ENGINE = PAGE.parent / "engine"
RUN = """
import {{ readFileSync }} from "node:fs";
import {{ Engine }} from "{engine}/engine.js";
import {{ Session }} from "{engine}/session.js";
import {{ sourceOf }} from "{engine}/sources.js";
import {{ unpacked }} from "{page}/packed.js";
const given = unpacked(readFileSync("{given}"));
const numbers = (values) => Array.from(values);
{body}
"""
DRAW = """
const engine = await Engine.start();
console.log(JSON.stringify(given.targets.map((target) => {
  const points = new Float32Array(2 * given.count);
  sourceOf(engine, target, given.count, 3).fill(points);
  return numbers(points);
})));
"""
TRAIN = """
const { programs, target, steps, begun, modes, ...settings } = given;
const floats = (bytes) => bytes && new Float32Array(bytes.slice().buffer);
const moments = begun && {
  first: floats(begun.first), second: floats(begun.second), count: begun.count,
};
const session = await Session.of({
  ...settings, program: programs.descent, carry: programs.forward, target, moments,
  parameters: floats(begun?.weights) ?? null, shown: floats(begun?.shown),
  table: floats(given.table),
});
if (modes) session.follow(modes);
session.left = steps;
while (session.runs) session.step();
const { losses, parameters, averaged, moments: left } = session.report();
console.log(JSON.stringify({
  losses: numbers(losses), averaged: numbers(averaged), weights: numbers(parameters),
  first: numbers(left.first), second: numbers(left.second), count: left.count,
}));
"""


def node(body: str, given: dict[str, Any], folder: Path) -> Any:
    """What a script writes of what it is given."""
    command = shutil.which("node")
    if command is None:
        pytest.skip("no node found: install Node.js to play programs")
    path = folder / "given.bin"
    path.write_bytes(packed(given))
    script = RUN.format(engine=ENGINE.as_uri(), page=PAGE.as_uri(), given=path, body=body)
    arguments = [command, "--input-type=module", "-e", script]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_a_page_draws_what_the_target_does(tmp_path: Path) -> None:
    made = [targets.make(name) for name in targets.names()]
    mine = targets.from_formula("-abs(x) - 2*(y - sin(3*x))^2", (-6.0, 6.0, -4.0, 4.0))
    made.append(mine)
    given = {"targets": [target_in_page(target) for target in made], "count": 8000}
    for target, points in zip(made, node(DRAW, given, tmp_path), strict=True):
        check_draws(target, torch.tensor(points).reshape(-1, 2))


def test_a_page_draws_from_modes_that_were_moved(tmp_path: Path) -> None:
    target = targets.make("cross")
    modes = [[-0.8, 1.5], [1.2, -0.9]]
    given = {**target_in_page(target), "modes": [number for mode in modes for number in mode]}
    (points,) = node(DRAW, {"targets": [given], "count": 8000}, tmp_path)
    check_draws(target.moved(modes), torch.tensor(points).reshape(-1, 2))


def test_a_training_follows_modes_that_are_moved(tmp_path: Path) -> None:
    target = targets.make("grid_gaussians")
    moved = target.moved(0.5 * target.modes)
    flow = catalog.make("rq_spline_coupling", layers=2, hidden=(16, 16), seed=0)
    for kinds in ({"descent": "descent"}, {"descent": "pulled_descent", "forward": "forward"}):
        given = {"steps": 3, "batch": 512, "seed": 5, "learningRate": 0.01}
        given["programs"] = {name: flow.program(kind).to_bytes() for name, kind in kinds.items()}
        there = {**given, "target": target_in_page(moved, density=True)}
        follows = {
            "target": target_in_page(target, density=True),
            "modes": moved.modes.ravel().tolist(),
        }
        losses = node(TRAIN, there, tmp_path)["losses"]
        assert node(TRAIN, {**given, **follows}, tmp_path)["losses"] == pytest.approx(
            losses, abs=1e-4
        )


def check_draws(target: Target, x: Tensor) -> None:
    """What is read off these draws is what is read off the target's own."""
    assert bool(x.isfinite().all()), target
    assert len(x.unique(dim=0)) > 0.99 * len(x), "each is a draw of its own"
    wanted = target.sample(len(x), torch.Generator().manual_seed(1))
    xmin, xmax, ymin, ymax = target.window
    third = torch.tensor([(xmax - xmin) / 3, (ymax - ymin) / 3])
    reads = [
        target.log_prob,
        lambda x: (x - torch.tensor([xmin, ymin]) > third).all(-1).float(),
        lambda x: (x[:, 0] < (xmin + xmax) / 2).float(),
        lambda x: (x[:, 1] * x[:, 0]).clamp(-5, 5),
        lambda x: x[:, 1].clamp(ymin, ymax),
    ]
    for read in reads:
        a, b = read(x), read(wanted)
        error = float((a.var() / len(a) + b.var() / len(b)).sqrt())
        assert abs(float(a.mean() - b.mean())) < 5 * error + 1e-3, target


FORMULAS = [f"{name}(0.4 + 0.3*sin(x) + 0.1*y)" for name in formula._ONE_ARGUMENT]
FORMULAS += [f"{name}(x, 0.5*y)" for name in formula._TWO_OR_MORE]
FORMULAS += ["where(x > y, x, 2*y)", "r*cos(2*theta)", "abs(x)^1.5"]


def test_whatever_one_may_type_has_a_density_in_a_page(tmp_path: Path) -> None:
    x = torch.randn(20, 2, generator=torch.Generator().manual_seed(2))
    made = [targets.from_formula(f"-(x^2 + y^2)/2 - 0.2*{one}") for one in FORMULAS]
    programs = [of_density(target.log_density) for target in made]
    given = {"n": 20, "inputs": {"x": x}, "noise": []}
    played = play([{**given, "program": program} for program in programs], tmp_path)
    for target, words, got in zip(made, FORMULAS, played, strict=True):
        points = x.double().requires_grad_()
        logs = target.log_density(points)
        (pull,) = torch.autograd.grad(logs.sum(), points)
        np.testing.assert_allclose(got["log_density"][0], logs.detach(), atol=1e-5, err_msg=words)
        np.testing.assert_allclose(got["pull"][0], pull, atol=1e-4, err_msg=words)


def test_a_fit_in_a_page_is_as_good_as_the_kernels(tmp_path: Path) -> None:
    flow = catalog.make("rq_spline_coupling", layers=4, hidden=(64, 64), seed=0)
    target, steps, settings = targets.make("eight_gaussians"), 1500, {"average": 80}
    given = {
        "programs": {"descent": flow.program("descent").to_bytes()},
        "target": target_in_page(target),
        "steps": steps,
        "batch": 128,
        "seed": 0,
        "learningRate": 0.005,
        **settings,
    }
    start = numbers(flow)
    by_page = np.array(node(TRAIN, given, tmp_path)["averaged"], np.float32)
    trainer = Trainer(flow, maximum_likelihood(target, 128), learning_rate=0.005, **settings)
    for _ in trainer.run(steps):
        pass
    kernels = divergence(trainer.averaged, target)
    learn(flow, by_page)
    assert np.abs(by_page - start).max() > 0.1
    pages = divergence(flow, target)
    assert pages < 1.5 * kernels + 0.01, f"{pages:.3f}, and {kernels:.3f} by the kernel"


def divergence(flow: Flow, target: Target) -> float:
    """KL(p*‖p) on a grid."""
    return ModelOnGrid(target).measure(flow).kls[0]


def test_a_page_descends_to_a_density_that_it_asks(tmp_path: Path) -> None:
    flow = catalog.make("rq_spline_coupling", layers=2, hidden=(16, 16), seed=0)
    target, steps = targets.make("energy_1"), 30
    kinds = {"descent": "pulled_descent", "forward": "forward"}
    given = {"steps": steps, "batch": 512, "seed": 5, "learningRate": 0.01, "average": 10}
    given["programs"] = {name: flow.program(kind).to_bytes() for name, kind in kinds.items()}
    given["target"] = target_in_page(target, density=True)
    losses = np.array(node(TRAIN, given, tmp_path)["losses"])
    trainer = Trainer(flow, variational(target, 512), learning_rate=0.01, average=10)
    told = [(one.loss, one.standard_error) for one in trainer.run(steps)]
    wanted, errors = np.array(told).T
    assert abs(losses[0] - wanted[0]) < 5 * errors[0]
    for one in (losses, wanted):
        assert one[-5:].mean() < one[0] - 3, "from then on each has its own way down"


def test_a_training_goes_on_in_the_page_and_back_as_if_it_had_stayed(tmp_path: Path) -> None:
    x = targets.make("two_moons").sample(128, torch.Generator().manual_seed(0))
    settings: dict[str, Any] = {"average": 10, "learning_rate": 0.01}

    def trainer(steps: int = 0) -> Trainer:
        flow = catalog.make("real_nvp", layers=2, hidden=(16, 16), seed=0)
        return Trainer(flow, lambda flow: -flow.log_prob(x).mean(), steps=steps, **settings)

    stayed = trainer()
    losses = [snapshot.loss for snapshot in stayed.run(20)]
    begun = moments_of(stayed).in_page()
    given = {
        "programs": {"descent": stayed.flow.program("descent").to_bytes(), "forward": None},
        "target": None,
        "table": x.numpy().tobytes(),
        "begun": {**begun, "shown": numbers(stayed.averaged).tobytes()},
        "batch": 128,
        "average": 10,
        "learningRate": 0.01,
        "steps": 10,
    }
    left = node(TRAIN, given, tmp_path)
    vectors = (np.array(left[name], np.float32) for name in ("weights", "first", "second"))
    shown = np.array(left["averaged"], np.float32)
    back = trainer(30)
    moments = Moments(*vectors, left["count"])
    learn(back.flow, moments.weights)
    go_on(back, shown, moments)
    losses += left["losses"] + [snapshot.loss for snapshot in back.run(10)]
    wanted = losses[:20] + [snapshot.loss for snapshot in stayed.run(20)]
    np.testing.assert_allclose(losses, wanted, atol=2e-3)
    np.testing.assert_allclose(numbers(back.averaged), numbers(stayed.averaged), atol=2e-3)


def test_numbers_are_rounded_to_their_scales(tmp_path: Path) -> None:
    values = np.array([0, -0.0, 1, -3.14159265, 7e-6, -7e-6, 500.3, -70_000, 1e9], np.float32)
    begun = np.linspace(-1, 1, 300, dtype=np.float32) ** 3
    given = {
        "fine": _multiples(values, FINE),
        "begun": rounded(begun),
        "counts": [len(values), len(begun)],
    }
    body = """
    const { fromWholes } = await import(given.page);
    console.log(JSON.stringify(["fine", "begun"].map((name, i) =>
      numbers(fromWholes(given[name], given.counts[i])))));
    """
    given["page"] = (PAGE / "packed.js").as_uri()
    fine, start = (np.array(one, np.float32) for one in node(body, given, tmp_path))
    np.testing.assert_allclose(fine, values, atol=FINE / 2, rtol=2**-23)
    np.testing.assert_allclose(start, begun, atol=1 / DIGITS / 2 + 1e-6)
    assert len(np.unique(start[:BLOCK])) > 20


def test_what_is_equal_is_sent_once() -> None:
    base = np.arange(1000, dtype=np.float32).tobytes()
    given = {"u": [base, b"abc"], "x": memoryview(base), "none": b""}
    file = packed(given)
    assert len(file) < len(base) + 200
    assert unpacked(file) == given
