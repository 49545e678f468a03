"""How long until a fit is good, and what the directions cost that take many passes."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from contenders import LIBRARIES, Contender
from peers import BATCH, contenders, timings
from torch import Generator, Tensor

from flowviz import targets
from flowviz.flows import catalog
from flowviz.flows.autoregressive.conditioners import Conditioner

GOAL, LIMIT, TURN, SEEDS, AVERAGE = 0.02, 30.0, 50, range(9), 80
RACE = f"""\
Seconds of processor time, and steps, until KL(p* ‖ p) of a neural spline flow (coupling, four
layers) is below {GOAL} nats on 5,000 points that it does not train on, looked at every {TURN} steps
of {BATCH} samples, at the learning rate 3e-3. What is looked at has averaged weights, for all
libraries the same average over the last {AVERAGE} steps, whose computation counts. The median of
{len(SEEDS)} seeds, and in brackets the quickest and the slowest. `python tests/benchmarks/peers.py
--race`; all take turns, and give up after {LIMIT:.0f} s. FlowJAX's compilation comes before its
start, flowviz's recording counts."""
INVERSES = f"""\
Directions of many passes or iterations, {BATCH} points, four layers (or one ODE), milliseconds
of processor time: `python tests/benchmarks/peers.py --inverses`. Passes are calls of flowviz's
conditioner networks."""


class Runner:
    """A contender in a race: its time so far, and its own stream of the target's draws."""

    def __init__(
        self, contender: Contender, target: targets.Target, held_out: Tensor, seed: int
    ) -> None:
        self.contender = contender
        self.target = target
        self.held_out = held_out
        self.log_target = target.log_prob(held_out).mean()
        self.generator = Generator().manual_seed(seed)
        self.seconds, self.steps, self.kl = 0.0, 0, float("inf")
        # What is compiled is compiled before the start.
        contender.log_prob(held_out)

    def running(self) -> bool:
        return self.kl >= GOAL and self.seconds < LIMIT

    def turn(self) -> None:
        """Some steps, timed, and how far they led, not timed."""
        batches = [self.target.sample(BATCH, self.generator) for _ in range(TURN)]
        started, compiled = time.process_time(), "step" in self.contender.compiling
        for batch in batches:
            self.contender.step(batch)
            if not compiled and self.contender.compiling:
                started, compiled = time.process_time(), True
        self.seconds += time.process_time() - started
        self.steps += TURN
        self.kl = float(self.log_target - self.contender.log_prob(self.held_out).mean())


def race() -> str:
    """Seconds of processor time until KL(p* ‖ p) < 0.02 nats, all libraries taking turns."""
    lines = [RACE, "", f"| Target | {' | '.join(LIBRARIES)} |", "|---" * (1 + len(LIBRARIES)) + "|"]
    for name in ("two_moons", "eight_gaussians"):
        target = targets.make(name)
        runs = [_run(target, seed) for seed in SEEDS]
        cells = [
            _in_words([run[library] for run in runs if library in run]) for library in LIBRARIES
        ]
        lines.append(f"| {target.title} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def _run(target: targets.Target, seed: int) -> dict[str, Runner]:
    """One race, to its end."""
    held_out = target.sample(5_000, Generator().manual_seed(1))
    made = contenders("rq_spline_coupling", rate=3e-3, seed=seed, average=AVERAGE)
    runners = {library: Runner(c, target, held_out, seed) for library, c in made.items()}
    while any(runner.running() for runner in runners.values()):
        for runner in runners.values():
            if runner.running():
                runner.turn()
    return runners


def _in_words(runners: list[Runner]) -> str:
    """The median of one library's races; one that was given up lasted for ever."""
    if not runners:
        return "–"
    order = sorted(runners, key=lambda r: r.seconds if r.kl < GOAL else float("inf"))
    quickest, middle, slowest = (order[i] for i in (0, len(order) // 2, -1))

    def seconds(runner: Runner) -> str:
        return f"{runner.seconds:.1f}" if runner.kl < GOAL else "∞"

    spread = f"({seconds(quickest)} to {seconds(slowest)})"
    if middle.kl >= GOAL:
        return f"given up at {middle.kl:.3f} nats {spread}"
    return f"{seconds(middle)} s {spread}, {middle.steps:,} steps"


def passes(module: torch.nn.Module, run: Callable[[], object]) -> int:
    """How often conditioners are called."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    conditioners = [m for m in module.modules() if isinstance(m, Conditioner)]
    hooks = [m.register_forward_hook(count) for m in conditioners]
    run()
    for hook in hooks:
        hook.remove()
    return calls


def inverses(dim: int = 64, rounds: int = 5) -> str:
    """Draws from masked flows of D = 64, and every family that inverts numerically, in D = 2."""
    lines = [INVERSES, "", f"| Family | D | passes | {' | '.join(LIBRARIES)} |"]
    lines.append("|---" * (3 + len(LIBRARIES)) + "|")
    rows = [("maf", dim), ("rq_spline_autoregressive", dim)]
    rows += [
        (name, 2)
        for name in catalog.names()
        if not catalog.entry(name).exact_inverse and catalog.entry(name).allows(2)
    ]
    for name, size in rows:
        flow = catalog.make(name, size, 4, seed=0)
        # The direction that is iterated: of draws where the inverse is the density's direction.
        both = {"forward": flow.forward, "inverse": flow.inverse}
        points = torch.randn(BATCH, size, generator=Generator().manual_seed(0))
        flow.eval()
        made = contenders(name, size)
        slow = "forward" if not catalog.entry(name).fast_forward else "inverse"
        with torch.no_grad():
            count = passes(flow, lambda: both[slow](points))  # noqa: B023
        if slow == "forward":
            tasks = {k: (lambda c=c: c.draw(BATCH)) for k, c in made.items()}
        else:
            tasks = {k: (lambda c=c: c.log_prob(points)) for k, c in made.items()}  # noqa: B023
        found = timings(tasks, rounds, 5.0)
        cells = [f"{found[k].median:.1f}" if k in found else "–" for k in LIBRARIES]
        title = catalog.entry(name).title
        lines.append(f"| {title}, {slow} | {size} | {count or '–'} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)
