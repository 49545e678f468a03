"""How fast the stage plays here: frames a second, and milliseconds to paint one frame.

    python tests/benchmarks/stage.py

Headless Chromium without a GPU, a 600 × 600 picture. The goal is 60 frames a second at
100,000 particles with a coloured grid of 40 × 40 cells, also while the training scrubber moves:
every frame another moment of the film, in which all the particles are elsewhere. The machine's
load counts, so the time that one frame takes to paint is given as well, at full
sharpness, that of a moment of the film when it is first shown, and the sharpness that the stage
chose while it played.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from flowviz.widgets.stage import Grid, Moment, Particles, Stage

STATES = 5
SECONDS = 4

MEASURE = """async ([seconds, film]) => {
  const { views: [{ picture, scene, theme, tables, film: { length } }], clock } = flowviz;
  const scrub = (i) => clock.act((p) => p.seekMoment(i % length), false);
  const took = (i) => {
    const start = performance.now();
    if (film) scrub(i);
    else picture.draw(scene, (i % 40) / 10, theme, tables);
    return performance.now() - start;
  };
  const sorted = (times) => times.sort((a, b) => a - b);
  // Someone looks at the picture before they scrub it.
  await new Promise((done) => setTimeout(done, 1500));
  clock.act((p) => p.pause());
  const first = sorted(Array.from({ length }, (_, i) => took(i)))[length >> 1];
  const times = sorted(Array.from({ length: 40 }, (_, i) => took(i)));
  clock.act((p) => { p.loop = true; p.play(); });
  await new Promise((done) => setTimeout(done, 1500));
  let frames = 0;
  const end = performance.now() + 1000 * seconds;
  const start = performance.now();
  await new Promise((done) => {
    const tick = () => {
      frames += 1;
      if (film) scrub(frames);
      if (performance.now() < end) requestAnimationFrame(tick);
      else done();
    };
    requestAnimationFrame(tick);
  });
  const fps = (1000 * frames) / (performance.now() - start);
  const pixels = picture.pixels.width;
  clock.act((p) => p.pause());
  return { fps, first, paint: times[20], worst: times[38], pixels };
}"""


def scene(particles: int, cells: int, moments: int) -> Stage:
    """Particles, with cells > 0 a coloured grid, bent from state to state; and so from moment to
    moment."""
    rng = np.random.default_rng(0)
    amounts = np.linspace(0, 1, STATES)[:, None, None]
    u = rng.standard_normal((1, particles, 2))
    bend = np.stack([np.sin(2 * u[..., 1]), np.cos(2 * u[..., 0])], -1)
    marks: list[Particles | Grid] = [
        Particles(u + 0.8 * amounts * bend, values=u[0, :, 0], palette="sequential")
    ]
    if cells:
        side = np.linspace(-2.5, 2.5, cells + 1)
        g = np.stack(np.meshgrid(side, side), -1)[None]
        bend = np.stack([np.sin(2 * g[..., 1]), np.cos(2 * g[..., 0])], -1)
        states = g + 0.5 * amounts[..., None] * bend
        values = rng.standard_normal((STATES, cells, cells))
        marks.append(Grid(states, values))
    stage = Stage(marks, window=(-4, 4, -4, 4), axes=False)
    stage.film = [
        Moment(i, [Particles(u[0] * (1 + i / moments), values=u[0, :, 0], palette="sequential")])
        for i in range(moments)
    ]
    return stage


def main() -> int:
    from playwright.sync_api import sync_playwright

    executable = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if executable is None:
        print("no Chromium found")
        return 1
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        print("particles   cells   moments    fps   paint ms   95 %   first ms   pixels across")
        for particles, cells, moments in (
            (2_000, 40, 0),
            (20_000, 40, 0),
            (100_000, 0, 0),
            (100_000, 40, 0),
            (100_000, 40, 6),
        ):
            path = scene(particles, cells, moments).save_html(Path(folder) / "stage.html")
            page = browser.new_page(viewport={"width": 628, "height": 716})
            page.goto(path.as_uri())
            got = page.evaluate(MEASURE, [SECONDS, moments > 0])
            first = f"{got['first']:.1f}" if moments else "–"
            print(
                f"{particles:9,}   {cells:2}×{cells:2}   {moments:7}   {got['fps']:4.0f}"
                f"   {got['paint']:8.1f}   {got['worst']:4.1f}   {first:>8}   {got['pixels']}"
            )
            page.close()
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
