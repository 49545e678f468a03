"""What a panel's page shows: the stage's pixels, its position, its words."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

PANEL = ".fv-panel:not(.fv-away)"
STAGE = f"{PANEL} .fv-slot-pictures .fv-stage"
PATIENCE = 60_000

_PIXELS = """selector => {
  const canvas = document.querySelector(selector);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const found = [];
  for (let i = 0; i < data.length; i += 4 * 7) found.push([data[i], data[i + 1], data[i + 2]]);
  return found;
}"""


def visit(page: Page, address: str) -> Page:
    """Go there and wait until the panel's stage has drawn; counts what the page sends."""
    page.sent = []  # type: ignore[attr-defined]
    page.on(
        "websocket",
        lambda socket: socket.on("framesent", lambda data: page.sent.append(data)),  # type: ignore[attr-defined]
    )
    page.goto(address, wait_until="commit")
    page.wait_for_function(
        """selector => { const canvas = document.querySelector(selector);
          return canvas && canvas.width > 100 && canvas.clientWidth > 100; }""",
        arg=f"{STAGE} .fv-stage-pixels",
        timeout=PATIENCE,
    )
    page.wait_for_timeout(500)
    return page


def pixels(page: Page) -> list[tuple[float, float, float]]:
    """A seventh of the stage's pixels, as (hue in degrees, saturation, value)."""
    found = page.evaluate(_PIXELS, f"{STAGE} .fv-stage-pixels")
    hsv = (colorsys.rgb_to_hsv(r / 255, g / 255, b / 255) for r, g, b in found)
    return [(360 * h, s, v) for h, s, v in hsv]


def share(page: Page, low: float, high: float, saturation: float = 0.35) -> float:
    """The share of the stage's pixels with a hue between ``low`` and ``high`` degrees."""
    found = pixels(page)
    return sum(low <= h <= high and s >= saturation for h, s, _ in found) / len(found)


def position(page: Page) -> float:
    return float(page.locator(f"{STAGE} input[type=range]").input_value())


def readout(page: Page) -> str:
    """Where the stage says that it is."""
    return page.locator(f"{STAGE} .fv-stage-readout").inner_text()


def words(page: Page) -> str:
    """All that is written in the panel."""
    return page.locator(PANEL).inner_text()


def play(page: Page, stage: str = STAGE) -> tuple[int, int]:
    """Play to the end; the frames that showed another position, and the messages sent."""
    before = len(page.sent)  # type: ignore[attr-defined]
    frames = page.evaluate(
        """async selector => {
          const stage = document.querySelector(selector);
          const scrubber = stage.querySelector("input[type=range]");
          stage.querySelector(".fv-stage-play").click();
          let frames = 0, last = null, still = 0;
          while (still < 90) {
            await new Promise(requestAnimationFrame);
            still = scrubber.value === last ? still + 1 : 0;
            if (still === 0) frames += 1;
            last = scrubber.value;
          }
          return frames;
        }""",
        stage,
    )
    return frames, len(page.sent) - before  # type: ignore[attr-defined]


def overflow(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")
