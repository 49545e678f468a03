"""The Jacobian volume panel on a real page."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.shown import (
    DEPTH,
    PANEL,
    PATIENCE,
    STAGE,
    beat,
    drag,
    play,
    position,
    share,
    words,
)

# Hues from and to, and the least saturation: both scales begin at a grey.
PURPLE, GREEN = (270, 312, 0.12), (125, 165, 0.12)
SMALL = "panel=jacobian_volume&hidden=16,16&cells=12"
CURSOR = f"{STAGE} .fv-stage-handle[aria-label^=cursor]"


def test_cells_that_shrink_are_purple_and_cells_that_grow_are_green(dashboard):
    page = dashboard("panel=jacobian_volume&trained=1200&contours=0")
    # Cells fade with the base's mass in them: what holds most of it has come to the modes, and
    # what lies between them has been stretched from the middle.
    assert share(page, *GREEN, middle=0.4) > 0.1
    assert share(page, *PURPLE, middle=0.6) > 0.04
    page.locator(f"{DEPTH} input").press("Home")
    beat(page, 400)
    assert share(page, *PURPLE) < 0.01 and share(page, *GREEN) < 0.01, "the base is neutral"
    assert play(page) == 0
    assert position(page) == 6


def test_nice_stays_neutral_and_says_why(dashboard):
    page = dashboard("panel=jacobian_volume&flow=nice&spread=4&layer=1&contours=0")
    assert share(page, *PURPLE) < 0.01 and share(page, *GREEN) < 0.01
    assert "preserves volume: log|det J| = 0 everywhere" in words(page)
    said = page.locator(f"{PANEL} .fv-slot-companion .fv-note").all_text_contents()
    assert "Layer 1: J is upper triangular: its determinant is the product of the diagonal." in said


def test_a_point_that_is_dragged_past_its_bound_goes_back_and_the_panel_says_why(put):
    page = put(
        "from flowviz import panels\n"
        "panel = panels.make('jacobian_volume', flow='planar', layers=2, cells=12)\n"
        "panel.stage.window = (-20.0, 20.0, -20.0, 20.0)\n"
        "panel"
    )
    picture = page.locator(f"{STAGE} .fv-stage-pixels").bounding_box()
    drag(page, CURSOR, -0.4 * picture["width"], 0)
    message = page.locator(f"{PANEL} .fv-message")
    expect(message).to_contain_text("its coordinates go", timeout=PATIENCE)
    expect(message).to_contain_text("10")
    # Back to where it was taken last: at −10 at most, a quarter of the picture from its left.
    page.wait_for_function(
        """([selector, least]) => {
          const { left, width } = document.querySelector(selector).getBoundingClientRect();
          return left + width / 2 >= least - 1;
        }""",
        arg=[CURSOR, picture["x"] + picture["width"] / 4],
        timeout=15_000,
    )


def test_the_cursor_is_dragged_and_every_cell_checked(dashboard):
    page = dashboard(f"{SMALL}&flow=planar&layers=3&layer=2&per=layer&position=2")
    assert position(page) == 2
    assert "Layer 2: J is the identity plus rank one" in page.locator(PANEL).text_content()
    note = page.locator(f"{PANEL} .fv-readout", has_text="Formula").first
    before = note.inner_text()
    drag(page, CURSOR, -60, 40)
    expect(note).not_to_have_text(before, timeout=PATIENCE, use_inner_text=True)
    page.wait_for_url("**point=**")
    page.get_by_role("tab", name="Checks").click()
    page.locator(f"{PANEL} button", has_text="Check every cell").click()
    page.wait_for_selector(f"{PANEL} .fv-note:has-text('144 cells')", timeout=PATIENCE)
    assert "10⁻" in page.locator(f"{PANEL} .fv-readout", has_text="Round trip").inner_text()
