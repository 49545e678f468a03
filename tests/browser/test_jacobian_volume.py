"""The Jacobian volume panel on a real page."""

from __future__ import annotations

import pytest

from tests.browser.shown import (
    PANEL,
    PATIENCE,
    STAGE,
    overflow,
    play,
    position,
    share,
    visit,
    words,
)

BLUE, ORANGE = (190, 235), (12, 45)


@pytest.fixture
def show(voila_server, open_page):
    def open_(query: str = "", **context):
        address = voila_server.address(query=f"panel=jacobian_volume&{query}")
        return visit(open_page(**context), address)

    return open_


def test_cells_that_shrink_are_blue_and_cells_that_grow_are_orange(show):
    page = show()
    assert share(page, *BLUE) > 0.05 and share(page, *ORANGE) > 0.05
    page.locator(f"{STAGE} input[type=range]").press("Home")
    page.wait_for_timeout(400)
    assert share(page, *BLUE) < 0.01 and share(page, *ORANGE) < 0.01, "the base is neutral"
    frames, sent = play(page)
    assert frames > 15 and sent <= 4
    assert position(page) == 4


def test_nice_stays_neutral_and_says_why(show):
    page = show("flow=nice&spread=4&layer=1")
    assert share(page, *BLUE) < 0.01 and share(page, *ORANGE) < 0.01
    assert "preserves volume: log|det J| = 0 everywhere" in words(page)
    assert "lower triangular" in words(page)


def test_the_cursor_is_dragged_and_every_cell_checked(show):
    page = show("cells=12")
    note = page.locator(f"{PANEL} .fv-readout", has_text="Formula").first
    before = note.inner_text()
    box = page.locator(f"{STAGE} .fv-stage-handle").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 100, y + 60, steps=5)
    page.mouse.up()
    page.wait_for_timeout(1500)
    assert note.inner_text() != before
    assert "point=" in page.url
    page.locator(f"{PANEL} button", has_text="Check every cell").click()
    page.wait_for_selector(f"{PANEL} .fv-note:has-text('144 cells')", timeout=PATIENCE)
    assert "10⁻" in page.locator(f"{PANEL} .fv-readout", has_text="Round trip").inner_text()


def test_a_link_restores_layer_and_colouring(show):
    page = show("flow=planar&layers=3&layer=2&per=layer&position=2&cells=16")
    assert position(page) == 2
    assert "Layer 2: J is the identity plus rank one" in words(page)


def test_the_page_comes_to_rest(show):
    page = show("flow=planar&layers=3&target=energy_4")
    page.wait_for_timeout(1500)
    height = page.evaluate("document.documentElement.scrollHeight")
    page.wait_for_timeout(1000)
    assert page.evaluate("document.documentElement.scrollHeight") == height < 3000


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_looks(show, screenshots, width, theme):
    page = show(width=width, color_scheme=theme)
    page.wait_for_timeout(1500)
    page.screenshot(path=screenshots / f"jacobian-volume-{theme}-{width}.png", full_page=True)
    assert overflow(page) <= 0
