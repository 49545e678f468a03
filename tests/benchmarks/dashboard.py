"""What a visitor of the dashboard waits for: the page, a slider's picture, a panel.

    python tests/benchmarks/dashboard.py            # prints a markdown table
    python tests/benchmarks/dashboard.py --moves 200 --serve

The ``flowviz`` command serves a headless Chromium without a GPU, both on this machine. Bytes are
counted before compression. A slider's picture counts as there once the stage's pixels differ and
the frame that shows them has been painted. The machine's load counts, so it is given as well.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_client.manager import start_new_kernel
from peers import import_seconds

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "browser")]

from conftest import Server  # noqa: E402
from shown import PANEL, STAGE, play  # noqa: E402

from flowviz import panels  # noqa: E402
from flowviz.widgets.charts import bundle  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PLANAR = (
    "panel=trajectories&flow=planar&layers=1&color=layer&contours=0&particles=3000&position=1"
    "&adjustments=1.w.0,0;1.w.1,1;1.u.0,1.5;1.u.1,-0.5"
)
"""One planar layer, seen at its end."""

WATCH = """
globalThis.pressed = [];
globalThis.painted = [];
addEventListener("keydown", (event) => pressed.push(event.timeStamp), true);
const put = CanvasRenderingContext2D.prototype.putImageData;
let shown = 0;
CanvasRenderingContext2D.prototype.putImageData = function (image, ...where) {
  put.call(this, image, ...where);
  if (!this.canvas.matches("STAGE .fv-stage-pixels")) return;
  let sum = 0;
  for (const pixel of new Uint32Array(image.data.buffer)) sum = (Math.imul(sum, 31) + pixel) | 0;
  if (sum === shown) return;
  shown = sum;
  // A message that is posted while a frame is made arrives after its painting.
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => painted.push(performance.now());
  port2.postMessage(0);
};
globalThis.playing = null;
const fill = CanvasRenderingContext2D.prototype.fillRect;
CanvasRenderingContext2D.prototype.fillRect = function (...where) {
  fill.apply(this, where);
  if (playing === null && this.canvas.closest("#fv-flight")) {
    playing = 0;
    requestAnimationFrame(() => { playing = performance.now(); });
  }
};
""".replace("STAGE", STAGE)

SWITCH = """(title) => new Promise((done) => {
  const pressed = performance.now();
  const seconds = () => (performance.now() - pressed) / 1e3;
  [...document.querySelectorAll(".fv-item")].find((one) => one.textContent === title).click();
  const is = (panel) => panel?.querySelector(".fv-title")?.textContent === title;
  let shown = 0;
  const look = () => {
    const frame = document.querySelector(".fv-frame");
    const panel = document.querySelector("PANEL");
    if (is(frame ?? panel)) shown ||= seconds();
    if (!frame && is(panel) && panel.querySelector(".fv-stage-pixels")) done([shown, seconds()]);
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})
""".replace("PANEL", PANEL)
"""Chooses a panel in the menu: seconds until it or its frame is shown, and until it is drawn."""

TRAIN = """() => new Promise((done) => {
  const bar = document.querySelector("PANEL .fv-run-training");
  const words = () => bar.querySelector(".fv-run-words").innerText;
  const [before, pressed] = [words(), performance.now()];
  bar.querySelector(".fv-run-train").click();
  const look = () => {
    if (words() !== before) done((performance.now() - pressed) / 1e3);
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})
""".replace("PANEL", PANEL)
"""Presses Train: seconds until the first step is shown."""

BUILD = """
import time, torch, ipywidgets
started = time.perf_counter(), time.process_time()
from flowviz import panels
panel = panels.make({name!r})
seconds = time.perf_counter() - started[0], time.process_time() - started[1]
panel.jobs.wait()
with open("/proc/self/smaps_rollup") as file:
    pss = next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
print(*seconds, pss / 1024)
"""


def visit(page: Page, address: str) -> None:
    """Open a page of the dashboard, and wait for its panel's first picture."""
    page.goto(address, wait_until="commit")
    page.wait_for_selector(f"{STAGE} .fv-stage-pixels", timeout=60_000)


class Traffic:
    """The websocket messages of a page, each way."""

    def __init__(self, page: Page) -> None:
        self.sent: list[tuple[float, str | bytes]] = []
        self.received: list[str | bytes] = []
        self.plotly = 0
        page.on("websocket", self._listen)
        page.on("request", lambda request: self._requested(request.url))

    def _listen(self, socket: object) -> None:
        socket.on("framesent", self._send)  # type: ignore[attr-defined]
        socket.on("framereceived", lambda frame: self.received.append(frame))  # type: ignore[attr-defined]

    def _send(self, frame: str | bytes) -> None:
        self.sent.append((time.monotonic(), frame))
        text = frame if isinstance(frame, str) else frame.decode(errors="replace")
        self.plotly += '"kind":"plotly"' in text.replace(" ", "")

    def _requested(self, url: str) -> None:
        self.plotly += bundle.path() in url


def load(browser: Browser, server: Server) -> tuple[float, int, int]:
    """Of a first visit: seconds to the first picture, bytes to the page, loads of plotly.js."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.add_init_script(WATCH)
    traffic = Traffic(page)
    visit(page, server.address())
    page.wait_for_selector(f"{PANEL} .fv-chart .main-svg", timeout=60_000)
    page.wait_for_timeout(3_000)
    seconds = page.evaluate("painted[0]") / 1e3
    page.close()
    return seconds, sum(map(len, traffic.received)), traffic.plotly


def visits(browser: Browser, server: Server, count: int = 7) -> tuple[float, float]:
    """Of further visits, at the median: seconds until the page plays its flow, and to its panel's
    first picture. Each browser is new to the page."""
    seen = []
    for _ in range(count):
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.add_init_script(WATCH)
        visit(page, server.address())
        page.wait_for_function("painted.length > 0")
        seen.append(page.evaluate("[playing / 1e3, painted[0] / 1e3]"))
        page.wait_for_timeout(1_000)
        page.close()
    playing, painted = zip(*seen, strict=True)
    return statistics.median(playing), statistics.median(painted)


def switches(browser: Browser, server: Server, count: int = 3) -> list[tuple[float, float]]:
    """Of each panel's first switch in a page, at the median of the pages: seconds until it is
    shown, and until it is drawn."""
    titles = [panels.entry(name).title for name in panels.names() if name != panels.landing()]
    seen: dict[str, list[tuple[float, float]]] = {title: [] for title in titles}
    for _ in range(count):
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        visit(page, server.address())
        page.wait_for_timeout(3_000)
        for title in titles:
            seen[title].append(page.evaluate(SWITCH, title))
            page.wait_for_timeout(1_000)
        page.close()
    return [
        tuple(statistics.median(values) for values in zip(*times, strict=True))
        for times in seen.values()
    ]


def follow(browser: Browser, server: Server, moves: int) -> tuple[list[float], float]:
    """A slider of a planar layer: each move's milliseconds to its picture, pictures a second."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.add_init_script(WATCH)
    visit(page, server.address(query=PLANAR))
    page.wait_for_timeout(3_000)
    page.get_by_label("w [1]", exact=True).focus()
    times = []
    for move in range(moves):
        page.evaluate("pressed = []; painted = [];")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("painted.length > 0", timeout=10_000)
        times.append(page.evaluate("painted[0] - pressed[0]"))
        # Not in step with the display's frames.
        page.wait_for_timeout(80 + 7 * (move % 10))
    page.evaluate("painted = []")
    end = time.monotonic() + 3
    while time.monotonic() < end:
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(10)
    rate = page.evaluate("painted.length") / 3
    page.close()
    return times, rate


FITS = {
    "eight Gaussians, neural spline": ("panel=kl_comparison&trained=0", 0.1),
    "two moons, CNF": ("panel=kl_comparison&target=two_moons&flow=cnf&layers=1&trained=0", 0.1),
}
"""Links to untrained flows, and the KL(p*‖p) from which on a fit is good."""


def fitting(browser: Browser, server: Server, query: str, good: float) -> tuple[float, float]:
    """Seconds from the press of Train to the first step shown, and to a good KL(p*‖p)."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.add_init_script(WATCH)
    visit(page, server.address(query=query))
    page.wait_for_timeout(5_000)
    kl = page.locator(f"{PANEL} .fv-readout-value").first
    began = time.monotonic()
    first: float = page.evaluate(TRAIN)
    while time.monotonic() - began < 60:
        if float(kl.inner_text().strip("≥ ").replace("−", "-").split("·")[0]) < good:
            break
        page.wait_for_timeout(50)
    seconds = time.monotonic() - began
    page.close()
    return first, seconds


def playing(browser: Browser, server: Server) -> tuple[int, int, int]:
    """Of a whole play: messages to the kernel, those from its midst, and bytes of all."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    traffic = Traffic(page)
    visit(page, server.address(query="panel=trajectories&position=0"))
    page.wait_for_timeout(2_000)
    traffic.sent.clear()
    page.sent = traffic.sent  # type: ignore[attr-defined]
    midst = play(page)
    page.close()
    return len(traffic.sent), midst, sum(len(frame) for _, frame in traffic.sent)


def building(name: str) -> tuple[float, float, float]:
    """A panel in a fresh kernel with torch: its seconds, the processor's, and the kernel's MB."""
    manager, client = start_new_kernel()
    try:
        printed: list[str] = []

        def hear(message: dict) -> None:
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        client.execute_interactive(BUILD.format(name=name), output_hook=hear, timeout=120)
        wall, processor, size = map(float, "".join(printed).split())
        return wall, processor, size
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@contextmanager
def served(*command: str) -> Iterator[tuple[Browser, Server]]:
    """A browser, and the dashboard for it: by ``flowviz``, or ``flowviz serve``."""
    from playwright.sync_api import sync_playwright

    executable = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if executable is None:
        sys.exit("no Chromium found")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        server = Server(*command, cwd=Path(folder))
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield browser, server
        finally:
            browser.close()
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=100)
    parser.add_argument("--serve", action="store_true", help="as `flowviz serve`: forked kernels")
    options = parser.parse_args()
    moves, command = options.moves, ["serve"] if options.serve else []
    with served(*command) as (browser, server):
        seconds, size, plotly = load(browser, server)
        plays, pictured = visits(browser, server)
        shown, drawn = zip(*switches(browser, server), strict=True)
        times, rate = follow(browser, server, moves)
        messages, midst, sent = playing(browser, server)
        fits = {name: fitting(browser, server, *how) for name, how in FITS.items()}
    rows = [
        ("First visit: to the page over the websocket", "< 3 MB", f"{size / 1e6:.2f} MB"),
        ("First visit: loads of plotly.js", "≤ 1", f"{plotly}"),
        ("First visit: first picture", "≤ 2.0 s", f"{seconds:.1f} s"),
        ("Further visits: the page plays its flow", "< 1.0 s", f"{plays:.2f} s"),
        ("Further visits: the panel's first picture", "≤ 2.0 s", f"{pictured:.1f} s"),
        ("First switch to a panel, the slowest one: shown", "≤ 0.3 s", f"{max(shown):.2f} s"),
        ("First switch to a panel, the slowest one: drawn", "≤ 1.0 s", f"{max(drawn):.2f} s"),
        ("Slider to picture, median", "≤ 35 ms", f"{statistics.median(times):.0f} ms"),
        (
            "Slider to picture, 95 %",
            "≤ 100 ms",
            f"{statistics.quantiles(times, n=20)[-1]:.0f} ms",
        ),
        ("Pictures while a slider is dragged", "", f"{rate:.0f} a second"),
        ("While an animation plays: messages to the kernel", "0", f"{midst}"),
        (
            "… at its start and its end, together",
            "",
            f"{messages - midst} ({sent / 1e3:.1f} kB)",
        ),
    ]
    for name, (first, good) in fits.items():
        target = "15 s" if "CNF" in name else "6 s"
        rows.append((f"Train to the first step shown: {name}", "0.3 s", f"{first:.2f} s"))
        rows.append((f"Train to KL(p*‖p) < 0.1: {name}", target, f"{good:.1f} s"))
    for name in panels.names():
        wall, processor, size = building(name)
        title = panels.entry(name).title
        built = f"{wall:.2f} s ({processor:.2f} s of processor)"
        rows.append((f"{title}, built in a kernel with torch", "< 1 s", built))
        rows.append((f"{title}, the kernel's memory (PSS)", "≤ 240 MB", f"{size:.0f} MB"))
    rows.append(("`import flowviz`", "< 0.3 s", f"{import_seconds('flowviz'):.2f} s"))
    print("| | target | measured |")
    print("|---|--:|--:|")
    for what, target, measured in rows:
        print(f"| {what} | {target} | {measured} |")
    print(f"\n{moves} moves, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
