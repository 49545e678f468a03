"""The Trajectories panel on a real page: what it draws, plays, trains, saves and restores."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.shown import (
    DEPTH,
    PANEL,
    PATIENCE,
    STAGE,
    beat,
    choose,
    drag,
    look_back,
    pictures,
    pixels,
    play,
    position,
    train,
    whereabouts,
    words,
)

SMALL = "panel=trajectories&flow=real_nvp&layers=4&hidden=16,16&spread=2&batch=64"


BARS = f"{PANEL} .fv-slot-companion .barlayer .point path"


def lit(page, wanted: list[int]) -> None:
    """Wait until these bars of the waterfall, counted from 1, have the outline, and no other."""
    page.wait_for_function(
        """([selector, wanted]) => {
          const bars = [...document.querySelectorAll(selector)];
          const lit = bars.flatMap((bar, i) =>
            parseFloat(getComputedStyle(bar).strokeWidth) > 1 ? [i + 1] : []);
          return bars.length > 0 && String(lit) === String(wanted);
        }""",
        arg=[BARS, wanted],
        timeout=15_000,
    )


def test_it_plays_trains_and_looks_back_and_the_kernel_hears_of_the_ends_alone(dashboard):
    page = dashboard(f"{SMALL}&particles=5000&position=0")
    assert position(page) == 0, "a link's position is not played away"
    hues = {int(h // 30) for h, s, _ in pixels(page) if s > 0.3}
    assert len(hues) >= 6, "a colour for every direction"
    base = pixels(page)
    assert play(page) == 0
    assert position(page) == 4 and "layer 4 of 4" in whereabouts(page)
    moved = sum(a != b for a, b in zip(base, pixels(page), strict=True)) / len(base)
    assert moved > 0.01
    train(page)
    look_back(page)
    assert "trained=" in page.url
    page.get_by_role("button", name=re.compile("^Reset")).click()
    page.locator(f"{PANEL} .fv-run-status", has_text="not trained").wait_for(timeout=PATIENCE)
    assert page.locator(f"{PANEL} .fv-run-training input").is_disabled()


def test_the_waterfall_goes_with_the_layers_and_the_layers_with_it(dashboard):
    page = dashboard(f"{SMALL}&position=0")
    lit(page, [])
    track = page.locator(f"{DEPTH} input")
    for layer in (1, 2):
        track.press("ArrowRight")
        lit(page, [layer])
    beat(page, 300)
    sent = len(page.sent)
    column = page.locator(BARS).nth(3).bounding_box()
    page.mouse.click(column["x"] + column["width"] / 2, column["y"] + column["height"] / 2)
    lit(page, [4])
    assert position(page) == 4 and "layer 4 of 4" in whereabouts(page)
    beat(page, 300)
    assert len(page.sent) <= sent + 2, "where the two stages stand now"


def test_dragging_the_marked_point_changes_its_numbers(dashboard):
    page = dashboard("panel=trajectories&flow=real_nvp&layers=8&hidden=16,16&spread=3&position=0")
    identity = page.locator(f"{PANEL} .fv-note", has_text="log p(x) =")
    chart = page.locator(f"{PANEL} [aria-label*='marked point:']").first
    before, bars = identity.inner_text(), chart.get_attribute("aria-label")
    drag(page, f"{STAGE} .fv-stage-handle >> nth=0", -30, 15)
    page.wait_for_function(
        "([selector, before]) => [...document.querySelectorAll(selector)].every("
        "note => note.innerText !== before)",
        arg=[f"{PANEL} .fv-note", before],
        timeout=PATIENCE,
    )
    page.wait_for_url("**point=**")
    assert chart.get_attribute("aria-label") != bars
    terms = re.search(r"= (\S+) − \(?([^ )]+)\)? = (\S+)$", identity.inner_text()).groups()
    base, change, result = (float(term.replace("−", "-")) for term in terms)
    assert base - change == pytest.approx(result, abs=1e-9)


HEAR = """element => {
  const said = [];
  new MutationObserver(() => said.push(element.textContent)).observe(element, { childList: true });
  return said;
}"""
COUNT_FRAMES = """
globalThis.frames = 0;
const put = CanvasRenderingContext2D.prototype.putImageData;
CanvasRenderingContext2D.prototype.putImageData = function (...how) {
  globalThis.frames += 1;
  put.apply(this, how);
};
"""


def test_what_is_saved_has_its_name_and_lives_without_flowviz(dashboard, open_page, tmp_path):
    page = dashboard(f"{SMALL}&target=two_moons")
    train(page, 800)
    sentence = page.locator(f"{PANEL} .fv-now").inner_text()
    with page.expect_download() as download:
        choose(page, "Picture (PNG)")
    name = "trajectories-two-moons-real-nvp"
    assert download.value.suggested_filename == f"{name}.png"
    with page.expect_download() as download:
        choose(page, "Data (JSON)")
    assert download.value.suggested_filename == f"{name}.json"
    said_so_far = page.locator(f"{PANEL} .fv-tools-said").evaluate_handle(HEAR)
    with page.expect_download() as download:
        choose(page, "Page of its own (HTML)")
    assert download.value.suggested_filename == f"{name}.html"
    expect(page.locator(f"{PANEL} .fv-tools-said")).to_have_text(f"Saved as {name}.html")
    assert "Preparing the page …" in said_so_far.json_value()
    download.value.save_as(tmp_path / "saved.html")
    choose(page, "Copy link")
    beat(page, 200)
    link = page.evaluate("navigator.clipboard.readText()")
    assert "?panel=trajectories&" in link and "target=two_moons" in link and "token" not in link
    choose(page, "Show code")
    code = page.locator(f"{PANEL} .fv-code", has_text="import flowviz")
    code.wait_for()
    # Its button takes no width from it; a scroll bar may.
    assert code.evaluate("e => e.querySelector('pre').clientWidth > e.clientWidth - 20")

    alone = open_page(width=1280, height=720)
    alone.add_init_script(COUNT_FRAMES)
    alone.goto((tmp_path / "saved.html").as_uri())
    alone.locator(".fv-stage-pixels").first.wait_for()
    assert alone.evaluate("document.documentElement.scrollHeight <= innerHeight")
    alone.wait_for_function("frames > 20 && flowviz.clock.player.position > 1", timeout=PATIENCE)
    alone.get_by_role("button", name="Pause").click()
    depth = alone.locator("input[type=range]:visible").first
    depth.press("Home")
    beat(alone, 200)
    said = alone.locator(".fv-stage-said span")
    assert "still the Gaussian of the base" in said.inner_text(), "that is another state"
    depth.press("End")
    beat(alone, 200)
    assert alone.locator(".fv-stage-lit").count() == 1
    assert alone.locator(".fv-stage-tally li").count() > 2
    assert alone.locator(".fv-stage-untrained").count() == 0
    assert said.is_visible() and said.inner_text() == sentence
    alone.locator(".fv-run-train").click()
    alone.wait_for_function("flowviz.run.get('step') >= 850", timeout=PATIENCE)
    alone.locator(".fv-run-train").click()
    alone.wait_for_function("!flowviz.run.get('running')", timeout=PATIENCE)
    now = said.inner_text()
    assert "the whole flow" in now and now != sentence, "that was of the flow as it was saved"
    tracks = alone.locator("input[type=range]:visible")
    assert tracks.count() == 2, "depth and training"
    picture = "document.querySelector('.fv-stage-pixels').toDataURL()"
    seen = []
    for key in ("End", "Home"):
        tracks.nth(1).press(key)
        beat(alone, 300)
        seen.append(alone.evaluate(picture))
    assert seen[0] != seen[1], "what was learned meanwhile"


def test_a_link_restores_the_picture_and_its_adjustments_and_a_hostile_one_is_answered(dashboard):
    page = dashboard(
        "panel=trajectories&flow=planar&layers=2&adjustments=1.b,0.8&position=1&color=layer"
        "&particles=1000"
    )
    page.locator(f"{DEPTH} .fv-run-words", has_text="layer 1 of 2").wait_for()
    boxes = page.locator(f"{PANEL} .fv-slot-controls input")
    assert "0.8" in [boxes.nth(i).input_value() for i in range(boxes.count())]
    first = pictures(page)
    page = dashboard("panel=trajectories&particles=1e9&color=<script>&adjustments=..;")
    text = words(page)
    assert "Not everything in the link was usable" in text and "particles" in text
    assert pictures(page) != first
