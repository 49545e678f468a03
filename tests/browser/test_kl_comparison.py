"""The KL panel on a real page: what it draws, plays, trains, stops and restores."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from tests.browser.shown import PANEL, PATIENCE, overflow, play, words

PICTURES = f"{PANEL} .fv-slot-pictures .fv-stage"
BAR = f"{PANEL} .fv-slot-transport .fv-stage"
STRIP = f"{PANEL} .fv-slot-strip .fv-stage"
# (r, g, b) of the two voices, light
FORWARD, REVERSE = (0, 114, 178), (213, 94, 0)
SMALL = "hidden=32,32&batch=128&steps=400&learning_rate=0.01&seed=4"


@pytest.fixture
def show(voila_server, open_page):
    def open_(query: str = "", **context):
        page = open_page(**context)
        page.sent = []
        page.on(
            "websocket", lambda socket: socket.on("framesent", lambda data: page.sent.append(data))
        )
        page.goto(voila_server.address(query=f"panel=kl_comparison&{query}"), wait_until="commit")
        page.wait_for_function(
            """selector => { const found = document.querySelectorAll(selector);
              return found.length === 2 && [...found].every((c) => c.width > 100); }""",
            arg=f"{PICTURES} .fv-stage-pixels",
            timeout=PATIENCE,
        )
        page.wait_for_timeout(700)
        return page

    return open_


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
        [f"{PICTURES} .fv-stage-pixels", which, place, colour],
    )


def modes() -> list[tuple[float, float]]:
    """Where the eight Gaussians are."""
    return [(3 * math.cos(k * math.pi / 4), 3 * math.sin(k * math.pi / 4)) for k in range(8)]


def step(page) -> int:
    """The step that the panel says it is at."""
    found = re.search(r"step ([\d,]+) of", words(page))
    return int(found.group(1).replace(",", "")) if found else 0


def train(page) -> None:
    page.get_by_role("button", name="▶ Train").click()


def ended(page, steps: int, patience: float = 180_000) -> None:
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector).innerText.includes(text)",
        arg=[PANEL, f"step {steps:,} of {steps:,} · CPU"],
        timeout=patience,
    )
    page.wait_for_timeout(500)


def pictures(page) -> list[str]:
    return page.evaluate(
        "selector => [...document.querySelectorAll(selector)].map((c) => c.toDataURL())",
        f"{PICTURES} .fv-stage-pixels",
    )


def test_training_puts_the_forward_model_on_every_mode(show, screenshots):
    page = show(SMALL, height=1800)
    untrained = [near(page, 0, place, FORWARD) for place in modes()]
    assert max(untrained) < 0.2
    train(page)
    ended(page, 400)
    forward = [near(page, 0, place, FORWARD) for place in modes()]
    assert min(forward) > 0.3, forward
    reverse = [near(page, 1, place, REVERSE) for place in modes()]
    assert max(reverse) > 0.3 and min(reverse) < 0.15, reverse
    # each in its own colour only
    assert max(near(page, 0, place, REVERSE) for place in modes()) < 0.05
    label = page.locator(f"{PANEL} [aria-label^='both objectives']").first
    assert "KL(p*‖p)" in label.get_attribute("aria-label")
    page.screenshot(path=screenshots / "kl-trained-light-1280.png", full_page=True)


def test_three_stages_play_on_one_clock_without_the_kernel(show):
    page = show(f"{SMALL}&spread=3", height=1800)
    bar = page.locator(f"{BAR} input[type=range]")
    assert float(bar.input_value()) == 4
    assert "Σ log|det J| of the marked point" in page.locator(f"{BAR} output").inner_text()
    page.locator(f"{BAR} input[type=range]").press("Home")
    page.wait_for_timeout(600)
    start = pictures(page)
    frames, messages = play(page, BAR)
    assert frames > 10
    assert messages <= 10, "that each plays, and where it stopped"
    assert all(a != b for a, b in zip(start, pictures(page), strict=True))
    assert page.locator(f"{STRIP} .fv-stage-tile[aria-current]").count() == 1
    page.locator(f"{STRIP} .fv-stage-tile").nth(2).click()
    page.wait_for_timeout(300)
    assert float(bar.input_value()) == 2


def test_it_trains_pauses_goes_on_and_resets(show):
    page = show("hidden=32,32&steps=20000")
    before = pictures(page)
    train(page)
    page.wait_for_function(
        "selector => /step [1-9][0-9]+ of/.test(document.querySelector(selector).innerText)",
        arg=PANEL,
        timeout=PATIENCE,
    )
    page.get_by_role("button", name="❚❚ Pause").click()
    page.get_by_text("paused").wait_for()
    stopped = step(page)
    page.wait_for_timeout(700)
    assert step(page) == stopped > 0
    assert all(a != b for a, b in zip(before, pictures(page), strict=True))
    page.get_by_role("button", name="Step", exact=True).click()
    page.get_by_text(f"step {stopped + 1:,} of").wait_for()
    page.get_by_role("button", name="Reset").click()
    page.get_by_text("not trained yet").wait_for()
    page.wait_for_timeout(500)
    assert pictures(page) == before


def test_the_constant_moves_the_loss_alone(show):
    page = show("target=energy_2&flow=real_nvp&hidden=16,16")

    def shown(name: str) -> str:
        return (
            page.locator(f"{PANEL} .fv-readout", has_text=name)
            .locator(".fv-readout-value")
            .inner_text()
        )

    loss, gradient = shown("Reverse loss"), shown("‖gradient‖")
    slider = page.locator(f"{PANEL} .fv-slot-charts input[type=range]")
    slider.focus()
    for _ in range(10):
        slider.press("ArrowRight")
    page.wait_for_function(
        "([selector, before]) => ![...document.querySelectorAll(selector)]"
        ".some((e) => e.innerText.includes(before))",
        arg=[f"{PANEL} .fv-slot-charts .fv-readout:nth-child(2)", loss],
    )
    page.wait_for_timeout(500)
    number = [float(text.replace("−", "-").split(" ± ")[0]) for text in (loss, shown("Reverse"))]
    assert number[1] == pytest.approx(number[0] - 1, abs=0.11)
    assert shown("‖gradient‖") == gradient


def test_a_link_brings_the_panel_back(show):
    state = "target=two_moons&flow=real_nvp&layers=3&log_c=1.5&show=integrand&strip=reverse"
    page = show(state)
    assert page.get_by_role("radio", name="Two moons").get_attribute("aria-checked") == "true"
    assert page.locator(f"{STRIP} .fv-stage-tile").count() == 4
    other = show(state)
    assert pictures(page) == pictures(other)
    hostile = show("target=%3Cscript%3E&layers=1e9")
    assert "Not everything in the link was usable" in words(hostile)


def test_a_family_shows_only_the_settings_that_it_has(show):
    page = show("flow=rq_spline_coupling&hidden=16,16")
    page.get_by_text("More settings").click()
    bins = page.locator(f"{PANEL} .fv-slider", has_text="Bins")
    bins.wait_for()
    menu = page.get_by_label("Flow", exact=True)
    heading = menu.locator("optgroup", has=page.locator("option", has_text="Planar CNF"))
    assert heading.get_attribute("label") == "Continuous time"
    menu.select_option("Real NVP")
    bins.wait_for(state="hidden")
    page.get_by_text("Dinh, Sohl-Dickstein & Bengio 2017 · fast directions: both").wait_for()
    page.get_by_role("button", name="Eight modes").click()
    page.wait_for_function("menu => menu.value === 'rq_spline_coupling'", arg=menu.element_handle())


def test_a_formula_is_checked_under_its_box(show):
    page = show("target=formula&hidden=16,16")
    box = page.get_by_label("log p̃(x, y)")
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
    page.wait_for_function(
        "([selector, before]) => document.querySelector(selector).innerText !== before",
        arg=[f"{PANEL} .fv-readout-value", before],
    )


def test_the_box_shows_the_whole_formula_and_keeps_one_that_is_too_long(show):
    page = show("target=formula&hidden=16,16")
    box = page.get_by_label("log p̃(x, y)")
    whole = "box => box.scrollHeight <= box.clientHeight && box.scrollWidth <= box.clientWidth"
    assert box.evaluate(whole), "the default, too, is longer than a line of the narrow card"
    lines = box.bounding_box()["height"]
    box.fill("-x^2 - y^2")
    assert box.bounding_box()["height"] < lines and box.evaluate(whole)
    long = "x" + "+x" * 3_000
    box.fill(long)
    box.press("Enter")
    page.get_by_text("at most 1,000 characters, this has 6,001").wait_for()
    assert box.input_value() == long


def stroke(page) -> None:
    """Draw across the pad."""
    pad = page.locator(f"{PANEL} .fv-pad .fv-stage-plot")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 120, steps=12)
    page.mouse.up()


def points(page) -> int:
    """How many points the panel says there are."""
    said = page.locator(f"{PANEL} .fv-points-words").inner_text()
    found = re.match(r"([\d,]+) points\. ", said)
    return int(found.group(1).replace(",", "")) if found else 0


def test_points_are_drawn_and_fitted(show):
    page = show("target=points&hidden=16,16")
    stroke(page)
    page.get_by_text(re.compile(r"\d+ points\. The density is a kernel estimate")).wait_for()


def test_undo_goes_back_over_strokes_tables_and_files(show):
    page = show("target=points&hidden=16,16")
    pad = page.locator(f"{PANEL} .fv-pad")
    undo = pad.get_by_role("button", name="Undo")
    assert undo.is_disabled()

    def settled(wanted: int | None = None) -> int:
        page.wait_for_timeout(1_500)
        assert wanted is None or points(page) == wanted
        return points(page)

    stroke(page)
    counts = [0, settled()]
    page.get_by_label("Or paste rows").fill("1 2\n3 4\n5 5")
    page.get_by_label("Or paste rows").press("Tab")
    counts.append(settled(3))
    stroke(page)
    counts.append(settled(3 + counts[1]))
    rows = "a,b\n1,2\n3,\n4,5\n6,1\n8,8\n"
    file = {"name": "mine.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    page.locator(f"{PANEL} .fv-file input").set_input_files(file)
    page.get_by_role("button", name="CSV file: mine.csv").wait_for()
    page.get_by_text("1 of 5 rows has a missing value and was left out.").wait_for()
    counts.append(settled(4))
    for count in reversed(counts[:-1]):
        undo.click()
        settled(count)
    assert undo.is_disabled()
    assert page.get_by_role("button", name="CSV file", exact=True).is_visible()


def test_a_file_too_large_for_the_line_is_refused_and_the_page_lives(show):
    page = show("target=points&hidden=16,16")
    file = page.locator(f"{PANEL} .fv-file input")
    rows = b"1,2\n3,5\n4,4\n"
    file.set_input_files({"name": "huge.csv", "mimeType": "text/csv", "buffer": rows * 1_000_000})
    page.get_by_text("Nothing was taken from huge.csv: it is larger than 8 MiB").wait_for()
    file.set_input_files({"name": "large.csv", "mimeType": "text/csv", "buffer": rows * 690_000})
    page.get_by_text("2,000 of 2,070,000 points are kept").wait_for(timeout=60_000)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_one_sees_where_drawing_works(show, theme):
    page = show("target=points&hidden=16,16", color_scheme=theme)
    edge, card = page.locator(f"{PANEL} .fv-pad .fv-stage-plot").evaluate(
        """pad => [getComputedStyle(pad, "::after").borderTopColor,
          getComputedStyle(pad).backgroundColor]"""
    )

    def luminance(colour: str) -> float:
        parts = (int(part) / 255 for part in re.findall(r"\d+", colour)[:3])
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    dark, light = sorted((luminance(edge), luminance(card)))
    assert (light + 0.05) / (dark + 0.05) > 3


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_fits_the_page(show, screenshots, width, theme):
    page = show(
        f"{SMALL}&steps=20000",
        width=width,
        height=2000 if width > 700 else 3600,
        color_scheme=theme,
    )
    train(page)
    page.wait_for_timeout(6000)
    page.get_by_role("button", name="❚❚ Pause").click()
    assert overflow(page) <= 0
    areas = ("pictures", "transport", "controls", "charts", "strip")
    tops = [page.locator(f"{PANEL} .fv-slot-{area}").bounding_box()["y"] for area in areas]
    if width == 400:
        assert tops == sorted(tops)
    page.screenshot(path=screenshots / f"kl-{theme}-{width}.png", full_page=True)
