"""The Divergences panel on a real page: a handle moves the picture, the number and the chart."""

from __future__ import annotations

import pytest

from tests.browser.shown import PANEL, PATIENCE, STAGE, TRAINING, beat, drag, train

READOUT = f"{PANEL} .fv-four .fv-readout-value"
HANDLE = f'{STAGE} .fv-stage-handle[aria-label^="p at"]'


def curves(page) -> str:
    """The canvas of curves and shapes, to be compared."""
    return page.evaluate(
        "selector => [...document.querySelectorAll(selector)].map((c) => c.toDataURL()).join()",
        f"{STAGE} canvas",
    )


def until(page, condition: str) -> None:
    """Wait for the first number."""
    page.wait_for_function(
        f"selector => {{ const x = parseFloat(document.querySelector(selector).innerText);"
        f" return {condition}; }}",
        arg=READOUT,
        timeout=PATIENCE,
    )


def test_a_handle_moves_picture_and_number_the_chart_moves_p_and_a_fit_is_looked_back_at(dashboard):
    page = dashboard("panel=divergences", width=1280, height=720)
    until(page, "x === 4.5")
    before, box = curves(page), page.locator(HANDLE).bounding_box()
    drag(page, HANDLE, 40, -60)
    until(page, "x > 1.5 && x < 4.4")
    beat(page, 600)
    moved = page.locator(HANDLE).bounding_box()
    assert abs(moved["x"] - box["x"] - 40) < 3, "along the axis"
    assert abs(moved["y"] - box["y"]) < 3, "and back on its line"
    assert curves(page) != before
    assert "model_position=" in page.url
    # The chart is a handle too: a press in its middle puts p onto p*.
    area = page.locator(f"{PANEL} .fv-slot-companion .nsewdrag").first.bounding_box()
    page.mouse.click(area["x"] + area["width"] / 2, area["y"] + area["height"] / 2)
    until(page, "x < 0.1")
    page.locator(f"{PANEL} .fv-chip", has_text="Two bumps").click()
    until(page, "x === 2.79")
    train(page)
    live, track = curves(page), page.locator(f"{TRAINING} input")
    track.press("Home")
    beat(page, 300)
    assert curves(page) != live
    assert page.locator(f"{TRAINING} .fv-run-status").inner_text() == "looking back"
    track.press("End")
    beat(page, 300)
    assert curves(page) == live


CUT = """() => {
  const table = document.querySelector(".fv-panel:not(.fv-away) .fv-divergences");
  const box = table.getBoundingClientRect();
  return [...table.querySelectorAll("td, th")].filter((cell) => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    const seen = range.getBoundingClientRect();
    return seen.right > box.right + 0.5 || seen.bottom > box.bottom + 0.5;
  }).map((cell) => cell.innerText);
}"""
SCREENS = [(1280, 600), (1280, 720), (1920, 1080), (390, 844)]


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_no_number_is_cut(dashboard, width, height):
    """A number whose power of ten is cut off reads as another."""
    page = dashboard("panel=divergences", width=width, height=height)
    until(page, "x === 4.5")
    page.get_by_role("tab", name="Numbers").click()
    for label, first in (
        ("JS goes flat", "x === 0.693"),
        ("Thin tails", "Number.isNaN(x)"),
        ("U[0, 1] and U[0, 2]", "x === 0.5"),
        ("Two bumps", "x === 2.79"),
        ("Slide apart", "x === 4.5"),
    ):
        chip = page.locator(f"{PANEL} .fv-chip", has_text=label)
        if chip.is_visible():
            chip.click()
        else:
            page.locator(f"{PANEL} select").first.select_option(label=label)
        until(page, first)
        beat(page, 100)
        assert not page.evaluate(CUT), label


def test_another_divergence_while_it_trains_shows_p_where_it_starts(dashboard):
    page = dashboard("panel=divergences", width=1280, height=720)
    until(page, "x === 4.5")
    start = page.locator(HANDLE).bounding_box()
    page.locator(f"{PANEL} .fv-run-train").click()
    until(page, "x < 2")
    page.locator(f"{PANEL} select:visible").first.select_option(
        label="MMD², maximum mean discrepancy"
    )
    until(page, "x === 0.897")
    page.locator(f"{PANEL} .fv-run-bar:not(.fv-running)").wait_for(timeout=PATIENCE)
    beat(page, 300)
    assert abs(page.locator(HANDLE).bounding_box()["x"] - start["x"]) < 1
    assert "not trained" in page.locator(f"{TRAINING} .fv-run-status").inner_text()
