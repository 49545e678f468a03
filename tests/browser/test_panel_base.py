"""The panel base on a real page, by the demonstration panel."""

from __future__ import annotations

import pytest

DEMO = "from tests.widgets.demo_panel import Demo\n"
PICTURE = ".fv-slot-companion .fv-note"


@pytest.fixture
def show(put):
    """``show(arguments)``: the demonstration panel, made so."""

    def show_(arguments: str = "layers=4", after: str = "", **options):
        page = put(f"{DEMO}panel = Demo({arguments})\n{after}\npanel", **options)
        page.locator(f"{PICTURE}:has-text('layers')").wait_for()
        return page

    return show_


def test_sliders_by_keyboard_by_mouse_and_by_typing(show):
    page = show()
    picture = page.locator(PICTURE)
    layers = page.get_by_label("Layers", exact=True)
    layers.press("ArrowRight")
    picture.get_by_text("5 layers").wait_for()
    layers.press("End")
    picture.get_by_text("12 layers").wait_for()
    box = layers.bounding_box()
    layers.click(position={"x": 8, "y": box["height"] / 2})
    picture.get_by_text("1 layers").wait_for()
    value = page.get_by_label("Layers, as a number")
    value.fill("7")
    value.press("Enter")
    picture.get_by_text("7 layers").wait_for()
    value.fill("many")
    value.press("Tab")
    assert value.input_value() == "7"
    said = page.locator(".fv-slider-said:visible")
    assert said.inner_text() == "“many” is not a whole number from 1 to 12"
    value.focus()
    assert said.count() == 0
    seed = page.get_by_label("Seed", exact=True)
    seed.fill("-5")
    seed.press("Enter")
    assert seed.input_value() == "0"
    assert said.inner_text() == "−5 is not a whole number from 0 to 1,000,000"
    rate = page.get_by_label("Learning rate", exact=True)
    assert page.get_by_label("Learning rate, as a number").input_value() == "0.003"
    rate.press("ArrowRight")
    assert page.get_by_label("Learning rate, as a number").input_value() == "0.0032"


def test_controls_are_hidden_while_the_panel_is_displayed(show):
    hide = (
        "button = panel.controls['count']\n"
        "button.on_click(lambda _: panel.update(hide=['layers', 'formula']))"
    )
    page = show(after=hide)
    layers, seed = (page.get_by_label(name, exact=True) for name in ("Layers", "Seed"))
    assert layers.is_visible() and seed.is_visible()
    page.get_by_role("button", name="Count").click()
    layers.wait_for(state="hidden")
    assert seed.is_visible()


def test_the_gallery_is_a_radio_group(show):
    page = show()
    tiles = page.get_by_role("radiogroup", name="Target").get_by_role("radio")
    assert tiles.evaluate_all(
        "all => all.map((e) => [e.ariaLabel, e.ariaChecked, e.tabIndex])"
    ) == [
        ["Ring", "true", 0],
        ["Two moons", "false", -1],
        ["Eight Gaussians", "false", -1],
    ]
    tiles.nth(0).press("ArrowRight")
    page.locator('.fv-tile[aria-checked="true"][title="Two moons"]').wait_for()
    assert page.evaluate("document.activeElement.title") == "Two moons"
    tiles.nth(2).click()
    page.locator('.fv-tile[aria-checked="true"][title="Eight Gaussians"]').wait_for()
    mask = tiles.nth(0).locator(".fv-tile-picture").evaluate("e => e.style.maskImage")
    assert mask.startswith('url("data:image/png')


def test_presets_code_and_copying(show):
    page = show()
    page.get_by_role("button", name="Deep").click()
    page.locator(PICTURE, has_text="9 layers").wait_for()
    page.locator(".fv-chip[aria-pressed=true]", has_text="Deep").wait_for()
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Copy line of Python").click()
    page.get_by_role("status").filter(has_text="Copied").wait_for(state="attached")
    line = "flowviz.panels.make('demo', layers=9)"
    assert page.evaluate("navigator.clipboard.readText()") == f"import flowviz; {line}"
    page.get_by_role("button", name="More").press("Enter")
    page.get_by_role("menuitem", name="Show code").click()
    page.locator(".fv-code", has_text=line).wait_for()
    assert page.get_by_role("tab", name="Code").get_attribute("aria-selected") == "true"


def test_jobs_report_and_stop_while_the_controls_stay_live(show):
    page = show()
    note = page.locator(".fv-slot-controls .fv-note")
    page.get_by_role("button", name="Count").click()
    note.get_by_text("step ").wait_for()
    seen = note.inner_text()
    page.get_by_label("Layers", exact=True).press("ArrowRight")
    page.locator(PICTURE, has_text="5 layers").wait_for(timeout=3_000)
    page.wait_for_function(
        "seen => document.querySelector('.fv-slot-controls .fv-note').innerText !== seen", arg=seen
    )
    page.get_by_role("button", name="Stop").click()
    note.get_by_text("stopped, step ").wait_for(timeout=3_000)


def test_what_takes_long_to_draw_is_veiled_and_that_is_said(show):
    held_up = (
        "import time\ndef late(draw):\n    return lambda: (time.sleep(3), draw())\n"
        "panel._drawings = {late(draw): drawn for draw, drawn in panel._drawings.items()}"
    )
    page = show(after=held_up)
    now, picture = page.locator(".fv-now"), page.locator(".fv-slot-picture .fv-stage").first
    page.get_by_label("Layers", exact=True).press("ArrowRight")
    now.get_by_text("Drawing …").wait_for()
    page.locator(".fv-body[aria-busy=true]").wait_for()
    page.wait_for_function(
        "() => getComputedStyle(document.querySelector('.fv-slot-picture .fv-stage')).opacity < 0.5"
    )
    now.get_by_text("There are 5 layers.").wait_for()
    assert page.locator(".fv-body").get_attribute("aria-busy") == "false"
    assert page.locator(".fv-drawing").count() == 0 and picture.is_visible()


def test_a_bad_link_is_told_over_the_picture_and_moves_nothing(show):
    page = show(after="panel.restore('layers=99&rate=0.01')")
    alert = page.get_by_role("alert")
    assert "layers=99 is not allowed: a whole number from 1 to 12" in alert.inner_text()
    assert page.get_by_label("Learning rate, as a number").input_value() == "0.01"
    before = page.locator(".fv-body").bounding_box()
    page.get_by_role("button", name="✕").click()
    alert.wait_for(state="hidden")
    assert page.locator(".fv-body").bounding_box() == before
