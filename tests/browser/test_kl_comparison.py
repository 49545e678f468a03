"""The KL panel on a real page: what it draws, plays, trains, stops and restores."""

from __future__ import annotations

import math
import re
import time

import pytest
from playwright.sync_api import expect

from tests.browser.shown import (
    DEPTH,
    PANEL,
    PATIENCE,
    STAGE,
    beat,
    look_back,
    play,
    position,
    train,
)

# (r, g, b) of the two voices, light
FORWARD, REVERSE = (0, 114, 178), (213, 94, 0)
SMALL = "panel=kl_comparison&flow=real_nvp&hidden=16,16&batch=64"


def near(page, which: int, place: tuple[float, float], colour: tuple[int, int, int]) -> float:
    """How much of a disc about a place of the target's window has the colour's hue, 0 to 1."""
    return page.evaluate(
        """([selector, which, [x, y], colour]) => {
          const canvas = document.querySelectorAll(selector)[which];
          const { width, height } = canvas;
          const context = canvas.getContext("2d");
          const scale = Math.min(width, height) / 9;
          const px = width / 2 + x * scale, py = height / 2 - y * scale, r = 0.45 * scale;
          const { data } = context.getImageData(px - r, py - r, 2 * r, 2 * r);
          const strongest = colour.indexOf(Math.max(...colour));
          const weakest = colour.indexOf(Math.min(...colour));
          let hits = 0, all = 0;
          for (let i = 0; i < data.length; i += 4) {
            all += 1;
            if (data[i + strongest] - data[i + weakest] > 40) hits += 1;
          }
          return hits / all;
        }""",
        [f"{STAGE} .fv-stage-pixels", which, place, colour],
    )


def modes() -> list[tuple[float, float]]:
    """Where the eight Gaussians are."""
    return [(3 * math.cos(k * math.pi / 4), 3 * math.sin(k * math.pi / 4)) for k in range(8)]


def test_it_lands_on_forward_on_every_mode_and_reverse_on_some(dashboard, screenshots):
    page = dashboard("panel=kl_comparison")
    page.locator(f"{DEPTH} input").press("End")
    beat(page, 400)
    forward = [near(page, 0, place, FORWARD) for place in modes()]
    assert min(forward) > 0.3, forward
    reverse = [near(page, 1, place, REVERSE) for place in modes()]
    assert max(reverse) > 0.3 and min(reverse) < 0.15, reverse
    # each in its own colour only
    assert max(near(page, 0, place, REVERSE) for place in modes()) < 0.05
    page.screenshot(path=screenshots / "kl-landed.png")


@pytest.mark.parametrize("where", ["kernel", "page"])
def test_a_mode_is_dragged_while_it_trains_and_both_pictures_follow(where, dashboard, screenshots):
    # A flow that takes longer for its 20,000 steps than anybody for a drag.
    flow = "target=correlated_gaussian&flow=real_nvp&hidden=32,32&layers=4"
    page = dashboard(f"panel=kl_comparison&{flow}&steps=20000&batch=256&compute={where}")
    page.locator(f"{DEPTH} input").press("End")
    at_rest = page.get_by_role("button", name="mode 1 at 0, 0; arrow keys move it")
    expect(at_rest).to_have_count(2)
    page.locator(f"{PANEL} .fv-run-train").click()
    page.locator(f"{PANEL} .fv-running").wait_for(timeout=PATIENCE)
    box = at_rest.first.bounding_box()
    unit = page.locator(f"{STAGE} .fv-stage-pixels").first.bounding_box()["height"] / 8
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 0.9 * unit, y + 0.9 * unit, steps=4)
    page.mouse.up()
    moved = page.get_by_role("button", name=re.compile(r"^mode 1 at 0\.[89]\d?, −0\.[89]"))
    expect(moved).to_have_count(2, timeout=PATIENCE)
    running = page.locator(f"{PANEL} .fv-running")
    expect(running).to_be_visible(timeout=PATIENCE)
    there = 0.9 * 9 / 8, -0.9 * 9 / 8  # near() takes a window of 9 by 9
    for which, colour in ((0, FORWARD), (1, REVERSE)):
        deadline = time.monotonic() + PATIENCE / 1000
        while near(page, which, there, colour) < 0.7:
            assert time.monotonic() < deadline, "the picture does not follow"
            beat(page, 300)
    page.locator(f"{PANEL} .fv-run-train").click()
    running.wait_for(state="detached", timeout=PATIENCE)
    page.screenshot(path=screenshots / f"kl-mode-dragged-{where}.png")
    moved.first.press("ArrowLeft")
    page.wait_for_url("**modes=0.8**", timeout=PATIENCE)
    page.get_by_role("button", name="Modes back").click()
    expect(at_rest).to_have_count(2, timeout=PATIENCE)
    page.wait_for_function("() => !location.search.includes('modes=')", timeout=PATIENCE)


def test_both_pictures_play_and_look_back_on_one_clock_without_the_kernel(dashboard):
    page = dashboard(f"{SMALL}&layers=3&spread=2&position=0")
    page.locator(f"{DEPTH} input").press("Home")
    assert play(page) == 0 and position(page) == 3
    sentence = page.locator(f"{PANEL} .fv-now")
    untrained = sentence.inner_text()
    assert "where the target has samples" in untrained
    train(page, 1200)
    expect(sentence).not_to_have_text(untrained, timeout=PATIENCE)
    label = page.locator(f"{PANEL} [aria-label^='both objectives']").first
    assert "KL(p*‖p)" in label.get_attribute("aria-label")
    look_back(page)
    page.get_by_role("tab", name="Layers").click()
    page.locator(f"{PANEL} .fv-slot-tabs .fv-stage-tile").nth(2).click()
    beat(page, 300)
    assert position(page) == 2


# What of the open tab cannot be seen: cut by its slot, or under its slot's edge.
HALF_SEEN = """([panel, things]) => {
  const slot = document.querySelector(`${panel} .fv-slot-tabs`);
  const { left, top, right, bottom } = slot.getBoundingClientRect();
  const found = [...slot.querySelectorAll(things)].filter((one) => one.checkVisibility());
  const cut = found.filter((one) => {
    const box = one.getBoundingClientRect();
    const at = document.elementFromPoint((box.left + box.right) / 2, box.bottom - 3);
    return box.left < left || box.top < top || box.right > right || box.bottom > bottom
      || box.width < 30 || box.height < 20 || !(one.contains(at) || at?.contains(one));
  });
  return [found.length, cut.map((one) => one.innerText)];
}"""


@pytest.mark.parametrize("height", [600, 720])
def test_layers_and_the_constant_are_whole_in_a_low_window(height, dashboard):
    page = dashboard(f"{SMALL}&layers=4", width=1280, height=height)
    for tab, things, count in (
        ("Layers", ".fv-toggle button, .fv-stage-tile, .fv-stage-thumb, .fv-stage-legend", 13),
        ("Constant", ".fv-slider, .fv-readout", 4),
    ):
        page.get_by_role("tab", name=tab).click()
        page.locator(f"{PANEL} .fv-slot-tabs").locator(things).last.wait_for()
        beat(page, 300)
        assert page.evaluate(HALF_SEEN, [PANEL, things]) == [count, []], tab


def test_the_constant_moves_the_loss_alone(dashboard):
    page = dashboard(f"{SMALL}&target=energy_2")
    page.get_by_role("tab", name="Constant").click()

    def shown(name: str) -> str:
        card = page.locator(f"{PANEL} .fv-readout", has_text=name)
        return card.locator(".fv-readout-value").inner_text()

    expect(page.locator(f"{PANEL} .fv-constant")).not_to_contain_text("–", timeout=PATIENCE)
    loss, gradient = shown("Reverse loss"), shown("‖gradient‖")
    slider = page.locator(f"{PANEL} .fv-slot-tabs .fv-slider input[type=range]")
    for _ in range(10):
        slider.press("ArrowRight")
    card = page.locator(f"{PANEL} .fv-readout", has_text="Reverse loss")
    expect(card.locator(".fv-readout-value")).not_to_have_text(loss, timeout=PATIENCE)
    page.wait_for_url("**log_c=1**")
    beat(page, 500)
    number = [float(t.replace("−", "-").split(" ± ")[0]) for t in (loss, shown("Reverse loss"))]
    assert abs(number[1] - (number[0] - 1)) < 0.11
    assert shown("‖gradient‖") == gradient


def test_all_targets_open_in_a_dialog_by_keyboard(dashboard):
    page = dashboard(f"{SMALL}&layers=2")
    opener = page.locator(f"{PANEL} .fv-tile-all")
    assert opener.get_attribute("aria-haspopup") == "dialog"
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="All that can be chosen")
    dialog.wait_for()
    tiles = dialog.get_by_role("radio")
    assert tiles.count() > 15
    focused = "document.activeElement.dataset.name"
    assert page.evaluate(focused) == "eight_gaussians"
    box = dialog.bounding_box()
    assert box["x"] >= 0 and box["y"] >= 0
    assert box["x"] + box["width"] <= 1280 and box["y"] + box["height"] <= 900
    page.keyboard.press("End")
    page.wait_for_url("**target=formula**", timeout=PATIENCE)
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    chosen = page.evaluate(focused)
    below = dialog.locator(f'[data-name="{chosen}"]').bounding_box()
    first = tiles.first.bounding_box()
    assert abs(below["x"] - first["x"]) < 1 and below["y"] > first["y"], "the one below the first"
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert page.evaluate("document.activeElement.className").endswith("fv-tile-all")
    page.locator(f'{PANEL} .fv-gallery-radios [data-name="{chosen}"][aria-checked=true]').wait_for()
    assert page.locator(f"{PANEL} .fv-gallery-radios [role=radio]").count() == 5


def test_a_family_shows_only_the_settings_that_it_has(dashboard):
    page = dashboard("panel=kl_comparison&flow=rq_spline_coupling&hidden=16,16")
    page.get_by_text("Training settings").click()
    bins = page.locator(f"{PANEL} .fv-slider", has_text="Bins")
    bins.wait_for()
    menu = page.get_by_label("Flow", exact=True)
    heading = menu.locator("optgroup", has=page.locator("option", has_text="Planar CNF"))
    assert heading.get_attribute("label") == "Continuous time"
    menu.select_option("Real NVP")
    bins.wait_for(state="hidden")
    page.get_by_text("quick both ways").first.wait_for()
    page.locator(f"{PANEL} .fv-chip", has_text="Eight modes").click()
    page.wait_for_function("menu => menu.value === 'rq_spline_coupling'", arg=menu.element_handle())


def test_a_formula_is_checked_under_its_box_and_seen_whole(dashboard):
    page = dashboard(f"{SMALL}&target=formula&layers=2")
    box = page.get_by_label("log p̃(x, y)")
    whole = "box => box.scrollHeight <= box.clientHeight && box.scrollWidth <= box.clientWidth"
    assert box.evaluate(whole), "the default, too, is longer than a line of the narrow card"
    measured = page.locator(f"{PANEL} .fv-readout-value").first
    before = measured.inner_text()
    box.fill("-x^2 - q*y")
    box.press("Enter")
    page.get_by_text("'q' is not known here").wait_for()
    assert measured.inner_text() == before
    box.fill("-x^2 - 3*y^2")
    box.press("Enter")
    page.get_by_text("'q' is not known here").wait_for(state="hidden")
    page.get_by_text("Functions: exp, log").wait_for()
    expect(measured).not_to_have_text(before, timeout=PATIENCE)
    long = "x" + "+x" * 3_000
    box.fill(long)
    box.press("Enter")
    page.get_by_text("at most 1,000 characters, this has 6,001").wait_for()
    assert box.input_value() == long


def stroke(page) -> None:
    """Draw across the first picture."""
    box = page.locator(f"{STAGE} .fv-stage-plot").first.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 140, steps=12)
    page.mouse.up()


def points(page, wanted: int | None = None) -> int:
    """How many points the panel says there are, once they are ``wanted``."""
    said = page.locator(f"{PANEL} .fv-points-words")
    number = r"[1-9][\d,]*" if wanted is None else f"{wanted:,}"
    said.filter(has_text=re.compile(rf"^{number} points\. ")).wait_for()
    beat(page, 600)
    return int(said.inner_text().split(" ")[0].replace(",", ""))


def test_points_drawn_on_the_picture_become_the_target_and_undo_goes_back(dashboard):
    page = dashboard(f"{SMALL}&target=points&layers=2")
    measured = page.locator(f"{PANEL} .fv-readout-value").first
    before = measured.inner_text()
    page.get_by_text("Draw points on the picture").wait_for()
    stroke(page)
    drawn = points(page)
    page.wait_for_url("**points=**")
    assert measured.inner_text() != before, "the models are measured against them"
    page.get_by_label("Or paste rows").fill("1 2\n3 4\n5 5")
    page.get_by_label("Or paste rows").press("Tab")
    points(page, 3)
    stroke(page)
    points(page, 3 + drawn)
    rows = "a,b\n1,2\n3,\n4,5\n6,1\n8,8\n"
    file = {"name": "mine.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    page.locator(f"{PANEL} .fv-file input").set_input_files(file)
    page.get_by_role("button", name="CSV file: mine.csv").wait_for()
    page.get_by_text("1 of 5 rows has a missing value and was left out.").wait_for()
    points(page, 4)
    undo = page.locator(STAGE).first.get_by_role("button", name="Undo")
    for count in (3 + drawn, 3, drawn):
        undo.click()
        points(page, count)
    huge = {"name": "huge.csv", "mimeType": "text/csv", "buffer": b"1,2\n3,5\n4,4\n" * 720_000}
    page.locator(f"{PANEL} .fv-file input").set_input_files(huge)
    page.get_by_text("Nothing was taken from huge.csv: it is larger than 8 MiB").wait_for()
