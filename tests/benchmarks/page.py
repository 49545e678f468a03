"""How quickly a panel saved as a page carries, is dragged and trains, in headless Chromium.

``python tests/benchmarks/page.py`` prints one row for each family; nothing else should run.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from flowviz import panels

FAMILIES = ("rq_spline_coupling", "real_nvp")
SECONDS = 6.0
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
DRAG = """async () => {
  const [view] = flowviz.views;
  const times = [];
  for (let i = 0; i < 60; i++) {
    const began = performance.now();
    view.handleMoved(0, 0, [Math.cos(i / 10), Math.sin(i / 10)], false);
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  return [times[30], times[57]];
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


def row(browser: Any, family: str) -> dict[str, Any]:
    """What is measured of one family on eight Gaussians."""
    panel = panels.make("trajectories", flow=family, batch=256, particles=2_000, steps=2_000)
    html = panel.to_html()
    x = panel.model.target.sample(20_000)
    entropy = -float(panel.model.target.log_prob(x).mean())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(html, encoding="utf-8")
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(path.as_uri())
        page.wait_for_function("globalThis.flowviz?.ready !== undefined")
        first = page.evaluate("flowviz.ready.then(() => performance.now())")
        page.evaluate("flowviz.clock.act((p) => { p.pause(); p.seek(p.last); })")
        result = {
            "family": family,
            "kB": len(html) / 1000,
            "gzip": len(gzip.compress(html.encode())) / 1000,
            "alive ms": first,
            "2,000 points ms": page.evaluate(CARRY, 2_000),
            "drag ms": "{:.0f} / {:.0f}".format(*page.evaluate(DRAG)),
        }
        trained = page.evaluate(TRAIN, [SECONDS, entropy + 0.1])
        result |= {"steps/s": trained["steps"], "frames/s": trained["frames"]}
        result["KL < 0.1 s"] = trained["fitted"] or float("nan")
        page.close()
    panel.close()
    return result


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", default=FAMILIES)
    options = parser.parse_args(argv)
    with sync_playwright() as playwright:
        executable = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        rows = [row(browser, family) for family in options.families]
        browser.close()
    heads = list(rows[0])
    print("| " + " | ".join(heads) + " |")
    print("|---" * len(heads) + "|")
    for one in rows:
        cells = (f"{v:.3g}" if isinstance(v, float) else str(v) for v in one.values())
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
