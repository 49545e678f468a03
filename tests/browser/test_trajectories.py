"""The Trajectories panel on a real page: what it draws, plays, trains and restores."""

from __future__ import annotations

import re

import pytest

from tests.browser.shown import (
    PANEL,
    PATIENCE,
    STAGE,
    overflow,
    pixels,
    play,
    position,
    readout,
    visit,
    words,
)

PICTURE = f"document.querySelector('{STAGE} .fv-stage-pixels').toDataURL()"


@pytest.fixture
def show(voila_server, open_page):
    def open_(query: str = "", **context):
        address = voila_server.address(query=f"panel=trajectories&{query}")
        return visit(open_page(**context), address)

    return open_


def test_particles_have_the_colours_of_their_angle_and_play_without_the_kernel(show):
    page = show("particles=5000")
    hues = {int(h // 30) for h, s, _ in pixels(page) if s > 0.3}
    assert len(hues) >= 6, "a colour for every direction"
    base = pixels(page)
    frames, sent = play(page)
    assert frames > 20
    assert sent <= 4, "that it plays, and where it stopped; nothing in between"
    assert position(page) == 6
    assert "layer 6 of 6" in readout(page)
    moved = sum(a != b for a, b in zip(base, pixels(page), strict=True)) / len(base)
    assert moved > 0.01


def test_dragging_the_marked_point_changes_its_waterfall(show):
    page = show()
    identity = page.locator(f"{PANEL} .fv-note", has_text="log p(x) =")
    before, chart = identity.inner_text(), page.locator(f"{PANEL} [aria-label*='marked point:']")
    bars = chart.first.get_attribute("aria-label")
    box = page.locator(f"{STAGE} .fv-stage-handle").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 90, y + 40, steps=6)
    page.mouse.up()
    page.wait_for_function(
        "([selector, before]) => [...document.querySelectorAll(selector)].every("
        "note => note.innerText !== before)",
        arg=[f"{PANEL} .fv-note", before],
        timeout=PATIENCE,
    )
    page.wait_for_timeout(500)
    assert chart.first.get_attribute("aria-label") != bars
    terms = re.search(r"= (\S+) − \(?([^ )]+)\)? = (\S+)$", identity.inner_text()).groups()
    base, change, result = (float(term.replace("−", "-")) for term in terms)
    assert base - change == pytest.approx(result, abs=1e-9)
    assert "point=" in page.url


def test_it_trains_shows_it_and_stops(show):
    page = show("spread=1&batch=64&position=6")
    before = readout(page), page.evaluate(PICTURE)
    page.get_by_role("button", name="▶ Train").click()
    page.wait_for_selector(f"{PANEL} .fv-note:has-text('steps/s')", timeout=PATIENCE)
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="❚❚ Pause").click()
    page.wait_for_selector(f"{PANEL} .fv-note:has-text('paused')", timeout=PATIENCE)
    page.wait_for_timeout(500)
    after = readout(page), page.evaluate(PICTURE)
    assert before[0] != after[0] and before[1] != after[1]
    assert "carried to the data by Real NVP, trained" in words(page)
    page.get_by_role("button", name="Reset").click()
    page.wait_for_selector(f"{PANEL} .fv-note:has-text('not trained yet')", timeout=PATIENCE)


def test_a_link_restores_the_picture_and_its_adjustments(show):
    page = show("flow=planar&layers=2&adjustments=1.b,0.8&position=1&color=layer&particles=1000")
    assert "layer 1 of 2" in readout(page)
    assert "samples of the base, carried to the data by Planar" in words(page)
    boxes = page.locator(f"{PANEL} .fv-slot-controls input")
    assert "0.8" in [boxes.nth(i).input_value() for i in range(boxes.count())]


def test_a_hostile_link_is_answered_in_words(show):
    page = show("particles=1e9&color=<script>&adjustments=..;")
    text = words(page)
    assert "Not everything in the link was usable" in text and "particles" in text


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_looks(show, screenshots, width, theme):
    page = show("position=6", width=width, color_scheme=theme)
    page.wait_for_timeout(1500)
    page.screenshot(path=screenshots / f"trajectories-{theme}-{width}.png", full_page=True)
    assert overflow(page) <= 0
