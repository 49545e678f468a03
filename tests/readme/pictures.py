"""``python tests/readme/pictures.py``: the README's two pictures and its animation, anew.

Needs Chromium, as the browser tests do, and Pillow, which comes with matplotlib.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import BROWSERS, FLAGS
from tests.conftest import Server

HERE = Path(__file__).parent
PANEL = ".fv-panel:not(.fv-away)"
PATIENCE = 120_000


def main() -> None:
    """Write the three files beside this script."""
    executable = next(filter(None, map(shutil.which, BROWSERS)))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(cwd=Path(folder))
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            pictures(browser, server)
        finally:
            browser.close()
            server.stop()


def pictures(browser: Any, server: Server) -> None:
    """Both pictures, and the film of a training run."""
    opened = show(browser, server, "panel=kl_comparison", "light")
    shot(opened, "kl.png")
    opened = show(browser, server, "panel=jacobian_volume&trained=1200&position=3", "dark")
    shot(opened, "jacobian.png")
    film(show(browser, server, "panel=trajectories", "light", (960, 600)))


def show(
    browser: Any, server: Server, query: str, theme: str, size: tuple[int, int] = (1280, 720)
) -> Page:
    """A panel on a page of its own, its first animation played."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=theme,
        reduced_motion="reduce",
        device_scale_factor=1.5,
    )
    page: Page = context.new_page()
    page.goto(server.address(query=query))
    page.wait_for_selector(f"{PANEL} .fv-stage-pixels", timeout=PATIENCE)
    page.wait_for_selector(f"{PANEL} .fv-chart-waiting", state="detached", timeout=PATIENCE)
    page.wait_for_timeout(3_000)
    return page


def shot(page: Page, name: str) -> None:
    """A picture in at most 256 colours: sharp, and small enough for a repository."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(255, dither=Image.Dither.NONE).save(HERE / name, optimize=True)


def film(page: Page) -> None:
    """Train from the start, then go through the film: the flow finds eight modes."""
    page.click(f"{PANEL} .fv-run-reset")
    page.wait_for_timeout(1_000)
    page.click(f"{PANEL} .fv-run-train")
    page.wait_for_selector(f"{PANEL} .fv-running", timeout=PATIENCE)
    page.wait_for_selector(f"{PANEL} .fv-run-bar:not(.fv-running)", timeout=PATIENCE)
    past = page.locator(f"{PANEL} .fv-run-training input:enabled")
    past.wait_for(timeout=PATIENCE)
    last = int(past.get_attribute("max") or 0)
    frames = []
    for index in range(25):
        step = round(last * (index / 24) ** 1.6)
        past.evaluate(
            "(one, step) => { one.value = step; one.dispatchEvent(new Event('input')); }", step
        )
        page.wait_for_timeout(150)
        frame = Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize((960, 600))
        frames.append(frame)
    # One palette, so that nothing flickers.
    palette = frames[-1].quantize(128, dither=Image.Dither.NONE)
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    times = [120] * (len(frames) - 1) + [2_000]
    frames[0].save(
        HERE / "training.gif", save_all=True, append_images=frames[1:], duration=times, loop=0
    )


if __name__ == "__main__":
    main()
