"""The Limits panel on a real page: a mode is dragged, and picture and numbers follow."""

from __future__ import annotations

import re

from tests.browser.shown import (
    DEPTH,
    PANEL,
    PATIENCE,
    STAGE,
    beat,
    drag,
    pictures,
    play,
    position,
    share,
    whereabouts,
)

GREEN = (125, 165, 0.12)
BRIDGE = f"{PANEL} .fv-readout-value"


def test_a_dragged_mode_moves_the_picture_and_the_number_and_it_plays_alone(dashboard):
    page = dashboard("panel=limits&cap=16&position=1")
    number, picture = page.locator(BRIDGE).first.inner_text(), pictures(page)
    stretched = share(page, *GREEN)
    assert number.startswith("7.4") and stretched > 0.03, "the bridge is green"
    box = page.locator(f"{STAGE} .fv-stage-pixels").bounding_box()
    drag(page, f"{STAGE} .fv-stage-handle >> nth=1", 0.08 * box["width"], 0)
    page.wait_for_function(
        "([one, before]) => parseFloat(document.querySelector(one).innerText) > before + 1",
        arg=[BRIDGE, float(number.split()[0])],
        timeout=PATIENCE,
    )
    page.wait_for_url("**apart=**")
    apart = float(re.search(r"apart=([\d.]+)", page.url)[1])
    assert 6.5 < apart <= 8
    assert pictures(page) != picture
    left = page.locator(f"{STAGE} .fv-stage-handle >> nth=0").bounding_box()
    right = page.locator(f"{STAGE} .fv-stage-handle >> nth=1").bounding_box()
    middle = (left["x"] + right["x"] + left["width"]) / 2
    assert abs(middle - (box["x"] + box["width"] / 2)) < 40, "the other mode went along"
    # A slider's end has its own word.
    cap = page.locator(f"{PANEL} .fv-slider", has_text="Cap L")
    cap.locator(".fv-slider-track").press("End")
    assert cap.locator(".fv-slider-value").input_value() == "∞"
    page.locator(f"{PANEL} .fv-now", has_text="equals the target").wait_for(timeout=PATIENCE)
    page.locator(f"{DEPTH} input").press("Home")
    beat(page, 300)
    assert whereabouts(page) == "t = 0" and share(page, *GREEN) < 0.01
    assert play(page) == 0, "playing sends nothing"
    assert position(page) == 20 and whereabouts(page) == "t = 1.00"
