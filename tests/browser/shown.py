"""What a panel's page shows: its pictures' pixels, where it is, what it says."""

from __future__ import annotations

import base64
import colorsys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

PANEL = ".fv-panel:not(.fv-away)"
STAGE = f"{PANEL} .fv-slot-picture .fv-stage"
DEPTH = f"{PANEL} .fv-run-depth"
TRAINING = f"{PANEL} .fv-run-training"
PATIENCE = 60_000

_PIXELS = """([selector, middle]) => {
  const canvas = document.querySelector(selector);
  const [width, height] = [canvas.width, canvas.height].map((n) => Math.round(middle * n));
  const [left, top] = [canvas.width - width, canvas.height - height].map((n) => n >> 1);
  const { data } = canvas.getContext("2d").getImageData(left, top, width, height);
  let found = "";
  for (let i = 0; i < data.length; i += 4 * 7) {
    found += String.fromCharCode(data[i], data[i + 1], data[i + 2]);
  }
  return btoa(found);
}"""


def pixels(page: Page, middle: float = 1.0) -> list[tuple[float, float, float]]:
    """A seventh of the first picture's pixels, as (hue in degrees, saturation, value).

    ``middle``: the part of its width and of its height that is looked at, in the middle of it.
    """
    found = base64.b64decode(page.evaluate(_PIXELS, [f"{STAGE} .fv-stage-pixels", middle]))
    colours = zip(found[::3], found[1::3], found[2::3], strict=True)
    hsv = (colorsys.rgb_to_hsv(r / 255, g / 255, b / 255) for r, g, b in colours)
    return [(360 * h, s, v) for h, s, v in hsv]


def share(
    page: Page, low: float, high: float, saturation: float = 0.35, *, middle: float = 1.0
) -> float:
    """The share of the first picture's pixels with a hue between ``low`` and ``high`` degrees."""
    found = pixels(page, middle)
    return sum(low <= h <= high and s >= saturation for h, s, _ in found) / len(found)


def pictures(page: Page) -> list[str]:
    """The pictures, to be compared."""
    return page.evaluate(
        "selector => [...document.querySelectorAll(selector)].map((c) => c.toDataURL())",
        f"{STAGE} .fv-stage-pixels",
    )


def position(page: Page) -> float:
    return float(page.locator(f"{DEPTH} input").input_value())


def whereabouts(page: Page) -> str:
    """Where the run bar says that it is."""
    return page.locator(f"{DEPTH} .fv-run-words").inner_text()


def beat(page: Page, milliseconds: float) -> None:
    """Wait so long by the page's own timers, and until it has painted twice.

    What it had begun before is done then, however slow the machine.
    """
    page.evaluate(
        "ms => new Promise((done) => setTimeout("
        "() => requestAnimationFrame(() => requestAnimationFrame(() => done())), ms))",
        milliseconds,
    )


@contextmanager
def leaving(page: Page) -> Iterator[None]:
    """What is done within leads to another document, perhaps of the same address: wait for it."""
    left = page.evaluate("performance.timeOrigin")
    yield
    page.wait_for_function("left => performance.timeOrigin !== left", arg=left, timeout=PATIENCE)


def words(page: Page) -> str:
    """All that is written in the panel."""
    return page.locator(PANEL).inner_text()


def play(page: Page) -> int:
    """Play to the end; how many messages were sent from soon after its start to shortly before.

    (When it stops, where it stopped is told.)
    """
    sent = page.sent  # type: ignore[attr-defined]
    page.locator(f"{PANEL} .fv-run-play").click()
    beat(page, 300)
    before = len(sent)
    page.wait_for_function(
        "s => { const i = document.querySelector(s); return Number(i.value) > 0.7 * i.max; }",
        arg=f"{DEPTH} input",
        timeout=PATIENCE,
    )
    during = len(sent) - before
    page.wait_for_function(
        "s => { const i = document.querySelector(s); return i.value === i.max; }",
        arg=f"{DEPTH} input",
        timeout=PATIENCE,
    )
    beat(page, 300)
    return during


def train(page: Page, milliseconds: int = 1500) -> None:
    """Train so long, pause, and wait for the film."""
    button = page.locator(f"{PANEL} .fv-run-train")
    button.click()
    page.locator(f"{PANEL} .fv-running").wait_for(timeout=PATIENCE)
    page.wait_for_timeout(milliseconds)
    if page.locator(f"{PANEL} .fv-running").count():
        button.click()
    page.locator(f"{PANEL} .fv-run-bar:not(.fv-running)").wait_for(timeout=PATIENCE)
    page.locator(f"{TRAINING} input:enabled").wait_for(timeout=PATIENCE)
    beat(page, 400)


def look_back(page: Page) -> None:
    """Go through the training by its scrubber, by mouse and by keyboard, and come back."""
    page.locator(f"{DEPTH} input").press("End")
    beat(page, 400)
    live, sent = pictures(page), len(page.sent)  # type: ignore[attr-defined]
    track = page.locator(f"{TRAINING} input")
    last = page.locator(f"{TRAINING} .fv-run-words").inner_text()
    box = track.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 9, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 10, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    beat(page, 300)
    early = pictures(page)
    assert all(a != b for a, b in zip(live, early, strict=True))
    assert page.locator(f"{TRAINING} .fv-run-status").inner_text() == "looking back"
    assert "going on from step" in page.locator(f"{TRAINING} .fv-run-train").get_attribute("title")
    track.press("Home")
    beat(page, 200)
    words = page.locator(f"{TRAINING} .fv-run-words")
    assert words.inner_text().startswith("step 0 of")
    told = page.locator(f"{PANEL} .fv-now").first
    assert told.evaluate("(one) => getComputedStyle(one).opacity") == "0.3", "it is of the end"
    track.press("ArrowRight")
    beat(page, 100)
    assert not words.inner_text().startswith("step 0 of"), "a key goes on by a moment"
    track.press("End")
    beat(page, 400)
    assert pictures(page) == live, "the live end is the present again"
    assert told.evaluate("(one) => getComputedStyle(one).opacity") == "1"
    assert page.locator(f"{TRAINING} .fv-run-words").inner_text() == last
    assert len(page.sent) == sent, "all of it on the page alone"  # type: ignore[attr-defined]


def drag(page: Page, selector: str, dx: float, dy: float) -> None:
    """Drag what is there by so many pixels, from where it is once the page has painted."""
    beat(page, 0)
    box = page.locator(selector).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx, y + dy, steps=6)
    page.mouse.up()


def choose(page: Page, entry: str) -> None:
    """Choose from the panel's ⋯ menu."""
    page.locator(f"{PANEL} .fv-more-button").click()
    page.get_by_role("menuitem", name=entry).click()


def overflow(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")
