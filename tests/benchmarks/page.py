"""How quickly a panel saved as a page carries, is dragged and trains, in headless Chromium.

    python tests/benchmarks/page.py          # prints one row for each family
    python tests/benchmarks/page.py --write  # … and puts the table into README.md beside this

PyTorch carries and trains the same flows on one thread in the same run. Times are of a clock and
not of the processor: nothing else should run. ``families.py`` takes the README's rows from here.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before PyTorch starts its threads

import argparse
import gzip
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from families import PAGE, RESULTS, replaced
from playwright.sync_api import sync_playwright

from flowviz import panels
from flowviz.flows import Flow, catalog
from flowviz.targets import Target
from flowviz.training import Trainer, maximum_likelihood

FAMILIES = ("real_nvp", "rq_spline_coupling")
SECONDS, POINTS, BATCH = 6.0, 2_000, 256
INTRODUCTION = f"""\
Trajectories saved as a page (eight Gaussians, four layers of 64 × 64), in {{browser}}, headless and
without a GPU, and PyTorch {{torch}} on one thread of the same machine: `python
tests/benchmarks/page.py`. {POINTS:,} points through all layers, every state kept; steps a second at
batch {BATCH} while nothing is drawn, and while {POINTS:,} particles are drawn; from a move of the
handle, at any time within a frame, until the frame that shows it is painted, median and 95 %."""
CARRY = """async (n) => {
  const live = await flowviz.ready;
  const [flow] = live.flows;
  const points = new Float32Array(2 * n).map(() => Math.random() - 0.5);
  const states = new Float32Array(2 * n * flowviz.views[0].scene.frames);
  const times = [];
  for (let i = 0; i < 60; i++) {
    const began = performance.now();
    flow.carry("forward", points, states);
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[30];
}"""
UNDRAWN = "flowviz.ready.then((live) => { live.learn = () => {}; })"
DRAG = """async () => {
  const [view] = flowviz.views;
  const { port1, port2 } = new MessageChannel();
  // A task that is posted from within a frame is run once that is painted.
  const painted = () => new Promise((resolve) => {
    port1.onmessage = resolve;
    requestAnimationFrame(() => port2.postMessage(null));
  });
  const times = [];
  for (let i = 0; i < 100; i++) {
    await new Promise((resolve) => setTimeout(resolve, 17 * Math.random()));
    const began = performance.now();
    view.handleMoved(0, 0, [Math.cos(i / 10), Math.sin(i / 10)], false);
    await painted();
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  return [times[50], times[95]];
}"""
TRAIN = """async ([seconds, least]) => {
  const { run } = flowviz;
  document.querySelector(".fv-run-reset").click();
  const began = performance.now();
  document.querySelector(".fv-run-train").click();
  let frames = 0, fitted = null;
  const elapsed = () => (performance.now() - began) / 1000;
  while (elapsed() < seconds && (run.get("running") || run.get("step") === 0)) {
    await new Promise(requestAnimationFrame);
    frames += 1;
    const loss = Number(run.get("status").match(/loss (\\S+)/)?.[1] ?? Infinity);
    if (fitted === null && run.get("step") > 100 && loss < least) fitted = elapsed();
  }
  const passed = elapsed();
  const steps = run.get("step");
  document.querySelector(".fv-run-train").click();
  return { steps: steps / passed, frames: frames / passed, fitted };
}"""


def median(task: Callable[[], object], runs: int = 60) -> float:
    """Seconds that a run of it takes."""
    times = []
    for _ in range(runs + 20):
        began = time.perf_counter()
        task()
        times.append(time.perf_counter() - began)
    return statistics.median(times[20:])


@torch.no_grad()
def carried(flow: Flow) -> float:
    """Milliseconds that PyTorch takes to carry the points."""
    u = torch.randn(POINTS, 2)
    return 1000 * median(lambda: flow.trace(u))


def trained(flow: Flow, target: Target) -> float:
    """Steps a second of flowviz's trainer."""
    trainer = Trainer(flow, maximum_likelihood(target, BATCH), average=80)
    return 1 / median(trainer.step, runs=200)


def row(browser: Any, family: str) -> dict[str, str]:
    """What is measured of one family on eight Gaussians."""
    settings = {"flow": family, "batch": BATCH, "particles": POINTS, "steps": 2_000}
    panel = panels.make("trajectories", **settings)
    html = panel.to_html()
    target = panel.model.target
    entropy = -float(target.log_prob(target.sample(20_000)).mean())
    panel.close()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(html, encoding="utf-8")
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(path.as_uri())
        page.wait_for_function("globalThis.flowviz?.ready !== undefined")
        alive = page.evaluate("flowviz.ready.then(() => performance.now())")
        page.evaluate("flowviz.clock.act((p) => { p.pause(); p.seek(p.last); })")
        points = page.evaluate(CARRY, POINTS)
        drag = "{:.0f} / {:.0f}".format(*page.evaluate(DRAG))
        drawn = page.evaluate(TRAIN, [SECONDS, entropy + 0.1])
        page.evaluate(UNDRAWN)
        alone = page.evaluate(TRAIN, [SECONDS, -1e9])
        page.close()
    fitted = "–" if drawn["fitted"] is None else f"{drawn['fitted']:.1f}"
    flow = catalog.make(family, seed=0)
    return {
        "Family": catalog.entry(family).title,
        "points, ms": f"{points:.1f}",
        "PyTorch": f"{carried(flow):.1f}",
        "steps/s": f"{alone['steps']:.0f}",
        "PyTorch's": f"{trained(flow, target):.0f}",
        "drawn: steps/s": f"{drawn['steps']:.0f}",
        "frames/s": f"{drawn['frames']:.0f}",
        "handle, ms": drag,
        "KL < 0.1, s": fitted,
        "alive, ms": f"{alive:.0f}",
        "kB": f"{len(html) / 1000:.0f}",
        "gzipped": f"{len(gzip.compress(html.encode())) / 1000:.0f}",
    }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("families", nargs="*", default=FAMILIES)
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    options = parser.parse_args(argv)
    with sync_playwright() as playwright:
        executable = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        rows = [row(browser, family) for family in options.families]
        version = f"Chromium {browser.version.partition('.')[0]}"
        browser.close()
    lines = [
        "| " + " | ".join(rows[0]) + " |",
        "|---" + "|--:" * (len(rows[0]) - 1) + "|",
        *("| " + " | ".join(one.values()) + " |" for one in rows),
    ]
    said = INTRODUCTION.format(browser=version, torch=torch.__version__.partition("+")[0])
    text = f"{said}\n\n" + "\n".join(lines)
    print(text)
    if options.write:
        RESULTS.write_text(replaced(RESULTS.read_text(), PAGE, text))


if __name__ == "__main__":
    main()
