"""The stage in a real browser: through its own page, and through a stand-in for the kernel."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from flowviz.widgets.stage import (
    Contours,
    Field,
    Grid,
    Handles,
    Image,
    Lines,
    Moment,
    Particles,
    Paths,
    Shapes,
    Stage,
    export,
    twin,
)
from flowviz.widgets.stage.export import plain
from tests.browser.shown import beat

CARD, INK = [255, 255, 255], [28, 36, 48]
ORANGE, PURPLE, GREEN = [213, 94, 0], [118, 42, 131], [27, 120, 55]
DARK_CARD, DARK_INK = [24, 30, 38], [232, 237, 243]
WINDOW = (-4.0, 4.0, -4.0, 4.0)

HARNESS = """async ({ esm, css, state, views }) => {
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  document.body.style.margin = "0";
  const module = await import(
    URL.createObjectURL(new Blob([esm], { type: "text/javascript" })));
  window.model = {
    state: { ...state, _esm: esm, _css: css }, listeners: [], sent: [], dirty: {},
    get(name) { return this.state[name]; },
    set(name, value) { this.dirty[name] = value; this.put(name, value); },
    put(name, value) {
      this.state[name] = value;
      for (const [event, run] of [...this.listeners]) if (event === `change:${name}`) run();
    },
    save_changes() { this.sent.push(this.dirty); this.dirty = {}; },
    on(event, run) { this.listeners.push([event, run]); },
    off(event, run) {
      this.listeners = this.listeners.filter(([e, r]) => e !== event || r !== run);
    },
  };
  window.ends = [];
  window.views = [];
  for (let i = 0; i < views; i++) {
    const el = document.createElement("div");
    document.body.append(el);
    window.views.push(el);
    window.ends.push(await module.default.render({ model, el }));
  }
}"""

PIXEL = """([x, y, view]) => {
  const canvas = document.querySelectorAll(".fv-stage-pixels")[view];
  const context = canvas.getContext("2d");
  const at = [(x + 4) / 8 * canvas.width, (4 - y) / 8 * canvas.height].map(Math.floor);
  return [...context.getImageData(...at, 1, 1).data].slice(0, 3);
}"""

SKETCHED = """([x, y]) => {
  const canvas = document.querySelector(".fv-stage-marks");
  const plot = document.querySelector(".fv-stage-pixels");
  const ratio = canvas.width / canvas.clientWidth;
  const at = [
    plot.offsetLeft + (x + 4) / 8 * plot.clientWidth,
    plot.offsetTop + (4 - y) / 8 * plot.clientHeight,
  ].map((place) => Math.floor(ratio * place));
  const { data } = canvas.getContext("2d").getImageData(at[0] - 1, at[1] - 1, 3, 3);
  return Math.max(...data.filter((_, i) => i % 4 === 3));
}"""

# What is drawn above the plot, so many pixels right of its left edge.
OVER_PLOT = """([from, to]) => {
  const canvas = document.querySelector(".fv-stage-marks");
  const plot = document.querySelector(".fv-stage-pixels");
  const ratio = canvas.width / canvas.clientWidth;
  const box = [plot.offsetLeft + from, 1, to - from, plot.offsetTop - 2].map((one) => one * ratio);
  const { data } = canvas.getContext("2d").getImageData(...box.map(Math.floor));
  return Math.max(...data.filter((_, i) => i % 4 === 3));
}"""

COUNT_PAINTS = """() => {
  window.paints = 0;
  const put = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (...given) {
    window.paints += 1;
    return put.apply(this, given);
  };
}"""


# How many frames the browser gives, which on a busy machine are few.
COUNT_FRAMES = """() => {
  const frame = () => {
    window.frames += 1;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""


@pytest.fixture
def show(open_page: Callable[..., Any]) -> Callable[..., Any]:
    """``show(stage, views=1, axes=False, **page options)``: a page with a stand-in model."""

    def show_(stage: Stage, views: int = 1, axes: bool = False, **options: Any) -> Any:
        page = open_page(**{"width": 600, "height": 760, **options})
        stage.axes, stage.max_width = axes, 0
        state = {k: v for k, v in stage.get_state().items() if not k.startswith("_")}
        page.set_content("<!doctype html><html><body></body></html>")
        page.evaluate(
            HARNESS,
            {"esm": stage._esm, "css": stage._css, "state": plain(state), "views": views},
        )
        beat(page, 60)
        return page

    return show_


def pixel(page: Any, x: float, y: float, view: int = 0) -> list[int]:
    return page.evaluate(PIXEL, [x, y, view])


def inked(page: Any, x: float, y: float) -> None:
    """Wait until there is ink."""
    page.wait_for_function(
        f"String(({PIXEL})([{x}, {y}, 0])) === '{','.join(map(str, INK))}'",
        timeout=5_000,
    )


def put(page: Any, **state: Any) -> None:
    """What the kernel would send."""
    page.evaluate("(s) => { for (const n in s) model.put(n, s[n]); }", plain(state))
    beat(page, 60)


def readout(page: Any) -> str:
    return page.locator(".fv-stage-readout").first.inner_text()


def sent(page: Any) -> list[dict[str, Any]]:
    return page.evaluate("model.sent.map(({drawn, ...rest}) => rest)")


def dot(*places: tuple[float, float], **looks: Any) -> Particles:
    """One large opaque particle that is at each place in turn."""
    return Particles(np.array(places)[:, None, :], **{"size": 30, "opacity": 1, **looks})


def moving(states: int = 4, **traits: Any) -> Stage:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((1, 400, 2)) * np.linspace(1, 0.3, states)[:, None, None]
    return Stage([Particles(z)], window=WINDOW, **traits)


# ---- the picture --------------------------------------------------------------------------------


def test_a_particle_is_where_it_should_be_at_every_position(show: Any) -> None:
    page = show(Stage(dot((-2, -1), (2, 1), (2, 3)), window=WINDOW))
    assert pixel(page, -2, -1) == INK and pixel(page, 2, 1) == CARD
    put(page, position=0.5)
    assert pixel(page, 0, 0) == INK and pixel(page, -2, -1) == CARD
    put(page, position=2)
    assert pixel(page, 2, 3) == INK and pixel(page, 0, 0) == CARD


def test_what_squeezes_is_purple_and_what_stretches_is_green(show: Any) -> None:
    side = np.array([-3.0, -1.0, 1.0, 3.0])
    vertices = np.stack(np.meshgrid(side, side), -1)
    values = np.array([[-5.0, 0, 5], [0, 0, 0], [5, 0, -5]])
    page = show(Stage(Grid(vertices, values, value_range=(-1, 1), lines=False), window=WINDOW))
    assert pixel(page, -2, -2) == PURPLE and pixel(page, 2, 2) == PURPLE
    assert pixel(page, 2, -2) == GREEN and pixel(page, -2, 2) == GREEN
    assert np.abs(np.array(pixel(page, 0, 0)) - [236, 239, 243]).max() <= 3
    assert pixel(page, 3.5, 3.5) == CARD


def test_a_grid_has_no_holes(show: Any) -> None:
    side = np.linspace(-3, 3, 31)
    x, y = np.meshgrid(side, side)
    vertices = np.stack([x + 0.3 * np.sin(y), y + 0.3 * np.cos(x)], -1)
    values = np.full((30, 30), 9.0)
    page = show(Stage(Grid(vertices, values, value_range=(-1, 1), lines=False), window=WINDOW))
    data = page.evaluate("""() => {
      const canvas = document.querySelector(".fv-stage-pixels");
      const { width } = canvas;
      const middle = canvas.getContext("2d")
        .getImageData(width / 4, width / 4, width / 2, width / 2).data;
      return [...new Uint32Array(middle.buffer)].filter((p) => p !== 0xff37781b).length;
    }""")
    assert data == 0


def test_a_density_fades_from_the_card_to_its_colour(show: Any) -> None:
    values = np.zeros((8, 8))
    values[:, 4:] = 1.0
    page = show(Stage(Image(values, WINDOW, palette="reverse"), window=WINDOW))
    assert pixel(page, -3, 0) == CARD
    assert pixel(page, 3, 0) == ORANGE
    between = pixel(page, 0, 0)
    assert ORANGE[2] < between[2] < 255


def test_sparse_marks_are_drawn(show: Any) -> None:
    x, y = np.meshgrid(np.linspace(-4, 4, 81)[:-1] + 0.05, np.linspace(-4, 4, 81)[:-1] + 0.05)
    cone = 4 - np.hypot(x, y)
    square = np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 3.0]])
    stage = Stage(
        [
            Contours(cone, WINDOW, levels=(2.0,), absolute=True, opacity=1, label="target p*"),
            Field([[-3.0, -3.0]], [[1.0, 0.0]], length=1.0),
            Paths(np.array([[[-3.0, 3.0]], [[-1.0, 3.0]]])),
            Shapes(square[None], fill=0.5),
        ],
        window=WINDOW,
    )
    page = show(stage)
    for x, y in ((2, 0), (0, -2), (-2.5, -3), (-3, 3), (2, 2), (3, 2)):
        assert page.evaluate(SKETCHED, [x, y]) > 60, (x, y)
    for x, y in ((0, 0), (-3, -1), (3.6, 3.6)):
        assert page.evaluate(SKETCHED, [x, y]) == 0, (x, y)
    # The contours' name is over the plot, beside a short line.
    assert page.evaluate(OVER_PLOT, [0, 16]) > 60
    assert page.evaluate(OVER_PLOT, [20, 70]) > 60


def test_a_plot_of_one_variable(show: Any) -> None:
    x = np.linspace(-4, 4, 81)
    curve = np.stack([x, np.where(np.abs(x - 2) < 0.5, np.nan, 1.0)], -1)
    floor = np.stack([x, np.zeros_like(x)], -1)
    higher = curve + np.array([0.0, 2.0])
    lines = Lines(np.stack([curve, higher])[:, None], band=floor[None], label="p(x)", fill=0.5)
    stage = Stage(
        lines, window=(-4, 4, -4, 4), aspect="free", unit="bracket", reversible=False, position=1
    )
    page = show(stage, height=500)
    box = page.locator(".fv-stage-pixels").bounding_box()
    assert box["height"] == pytest.approx(0.6 * box["width"], abs=1)
    assert readout(page) == "bracket 1 of 1"
    assert page.locator(".fv-stage-way").is_hidden()
    for x, y, inked in (
        (-2, 3, True),
        (-2, 1.5, True),
        (-2, -1, False),
        (2, 3, False),
        (2, 1, False),
    ):
        assert (page.evaluate(SKETCHED, [x, y]) > 60) == inked, (x, y)


def test_the_past_of_a_path_is_solid_and_its_future_faint(show: Any) -> None:
    path = np.linspace([-3.0, 0.0], [3.0, 0.0], 13)[:, None]
    page = show(Stage(Paths(path), window=WINDOW, position=6))
    past, future = page.evaluate(SKETCHED, [-2, 0]), page.evaluate(SKETCHED, [2, 0])
    assert past > 200 and 30 < future < 100


def test_the_theme_is_followed_at_once(show: Any) -> None:
    page = show(Stage(dot((0, 0)), window=WINDOW))
    assert (pixel(page, 0, 0), pixel(page, 3, 3)) == (INK, CARD)
    page.evaluate("document.documentElement.dataset.fvTheme = 'dark'")
    beat(page, 120)
    assert (pixel(page, 0, 0), pixel(page, 3, 3)) == (DARK_INK, DARK_CARD)
    page.evaluate("document.documentElement.dataset.fvTheme = 'light'")
    beat(page, 120)
    assert pixel(page, 3, 3) == CARD


def test_jupyterlabs_theme_is_followed(show: Any) -> None:
    page = show(Stage(dot((0, 0)), window=WINDOW))
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    beat(page, 120)
    assert pixel(page, 3, 3) == DARK_CARD


def test_sharp_on_a_display_of_high_density(show: Any) -> None:
    page = show(Stage(dot((0, 0)), window=WINDOW), device_scale_factor=2)
    assert page.evaluate("document.querySelector('.fv-stage-pixels').width") == 1200


def test_what_cannot_be_drawn_is_said_and_then_drawn_again(show: Any) -> None:
    page = show(Stage(dot((0, 0)), window=WINDOW))
    good = page.evaluate("model.get('particles')")
    words = page.locator(".fv-stage-words")
    put(page, particles=[{**good[0], "states": {"shape": [1, 9, 2], "data": ""}}])
    assert "The particles cannot be drawn: an array of shape 1 × 9 × 2" in words.inner_text()
    put(page, particles=good)
    assert words.is_hidden() and pixel(page, 0, 0) == INK
    put(page, particles=[])
    assert words.inner_text() == "Nothing to show yet"


def test_missing_points_are_counted_on_the_stage(show: Any) -> None:
    points = np.array([[0, 0], [np.nan, 1], [2, 2]])
    page = show(Stage(Particles(points), window=WINDOW))
    assert "1 of 3 points are not finite" in page.locator(".fv-stage-note").inner_text()
    page = show(Stage(Particles(np.full((4, 2), np.nan)), window=WINDOW))
    assert "None of the points is finite" in page.locator(".fv-stage-words").inner_text()


# ---- playing ------------------------------------------------------------------------------------


def test_playing_draws_frames_and_sends_nothing(show: Any) -> None:
    page = show(moving(states=9, speed=600))
    page.evaluate(COUNT_PAINTS)
    page.get_by_role("button", name="Play (Space)").click()
    beat(page, 200)
    assert sent(page) == [{"playing": True}]
    page.evaluate(COUNT_FRAMES)
    page.evaluate("model.sent.length = window.paints = window.frames = 0")
    beat(page, 1500)
    # It rests a little after each layer.
    paints, frames = page.evaluate("[window.paints, window.frames]")
    assert paints > 0.5 * frames, "the browser gave frames in which nothing was drawn"
    assert sent(page) == []
    page.get_by_role("button", name="Pause (Space)").click()
    beat(page, 200)
    (last,) = sent(page)
    assert last["playing"] is False and 0.5 < last["position"] < 4


def test_it_plays_to_the_end_and_says_so_once(show: Any) -> None:
    page = show(moving(states=3, speed=100))
    page.get_by_role("button", name="Play (Space)").click()
    beat(page, 1200)
    assert sent(page)[-1] == {"playing": False, "position": 2}
    assert readout(page) == "layer 2 of 2"


def test_nothing_is_painted_while_nothing_changes(show: Any) -> None:
    page = show(moving())
    beat(page, 200)
    page.evaluate(COUNT_PAINTS)
    beat(page, 500)
    assert page.evaluate("window.paints") == 0


def test_out_of_sight_and_back_within_a_frame_it_goes_on_drawing(show: Any) -> None:
    page = show(Stage(dot((0, 0)), window=WINDOW), views=0)
    page.evaluate("""async () => {
      const Native = IntersectionObserver;
      globalThis.IntersectionObserver = class extends Native {
        constructor(hear) {
          super(() => {});
          globalThis.hear = (...seen) => hear(seen.map((isIntersecting) => ({ isIntersecting })));
        }
      };
      const module = await import(URL.createObjectURL(
        new Blob([model.get("_esm")], { type: "text/javascript" })));
      const el = document.createElement("div");
      document.body.append(el);
      ends.push(await module.default.render({ model, el }));
      hear(false, true);
    }""")
    put(page, particles=Stage(dot((2, 2))).get_state()["particles"])
    inked(page, 2, 2)
    page.evaluate("hear(true, false)")
    put(page, particles=Stage(dot((-2, 2))).get_state()["particles"])
    assert pixel(page, 2, 2) == INK, "nothing is drawn out of sight"
    page.evaluate("hear(true)")
    inked(page, -2, 2)


def test_it_gets_coarser_when_frames_are_slow_and_sharp_again_when_it_rests(
    open_page: Any, tmp_path: Path
) -> None:
    page = open_page(width=632, height=800, reduced_motion="reduce")
    page.goto(moving(states=9, loop=True, axes=False).save_html(tmp_path / "s.html").as_uri())
    width = "document.querySelector('.fv-stage-pixels').width"
    sharp = page.evaluate(width)
    page.evaluate("""() => {
      const { picture } = flowviz.views[0];
      const adapt = picture.adapt.bind(picture);
      picture.adapt = () => adapt(40);
    }""")
    page.emulate_media(reduced_motion="no-preference")
    page.get_by_role("button", name="Play (Space)").click()
    page.wait_for_function(f"{width} === {sharp / 2}")
    page.get_by_role("button", name="Pause (Space)").click()
    beat(page, 100)
    assert page.evaluate(width) == sharp


def test_keys(show: Any) -> None:
    page = show(moving(states=4))
    page.locator(".fv-stage-plot").focus()
    for key, where in (
        ("ArrowRight", "layer 1 of 3"),
        ("ArrowRight", "layer 2 of 3"),
        ("ArrowLeft", "layer 1 of 3"),
        ("End", "layer 3 of 3"),
        ("Home", "layer 0 of 3"),
    ):
        page.keyboard.press(key)
        assert readout(page) == where, key
    page.keyboard.press("Space")
    beat(page, 300)
    page.keyboard.press("Space")
    assert "0.0" not in readout(page) and readout(page) != "layer 0 of 3"
    beat(page, 150)
    assert sent(page)[-1]["playing"] is False
    page.locator("input[type=range]").focus()
    page.keyboard.press("End")
    assert readout(page) == "layer 3 of 3"
    assert "layer 3 of 3" in page.locator("[aria-live]").inner_text()


def test_scrubbing_moves_at_once_and_tells_the_kernel_at_its_end(show: Any) -> None:
    page = show(Stage(dot((-3, 0), (3, 0)), window=WINDOW))
    box = page.locator("input[type=range]").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 7, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, y, steps=5)
    beat(page, 150)
    assert pixel(page, 0, 0) == INK
    assert sent(page) == []
    page.mouse.up()
    beat(page, 150)
    (message,) = sent(page)
    assert message["position"] == pytest.approx(0.5, abs=0.02)


def test_direction(show: Any) -> None:
    page = show(moving(states=3, speed=800))
    page.get_by_role("button", name="Direction").click()
    assert page.locator(".fv-stage-way").inner_text() == "data → base: density"
    page.get_by_role("button", name="Play (Space)").click()
    beat(page, 60)
    assert float(readout(page).split()[1]) > 1
    page.evaluate("model.put('speed', 100)")
    beat(page, 1500)
    assert readout(page) == "layer 0 of 2"
    assert {"direction": "inverse"} in sent(page)


def test_reduced_motion_starts_paused_and_steps(show: Any) -> None:
    page = show(moving(states=4, speed=150, playing=True), reduced_motion="reduce")
    beat(page, 300)
    assert readout(page) == "layer 0 of 3"
    page.locator(".fv-stage-plot").focus()
    page.keyboard.press("Space")
    seen = set()
    for _ in range(40):
        seen.add(readout(page))
        beat(page, 20)
    assert seen <= {f"layer {k} of 3" for k in range(4)} and len(seen) >= 3


def test_stages_with_one_clock_move_together(show: Any) -> None:
    page = show(Stage(dot((-2, 0), (2, 0)), window=WINDOW, clock="both"), views=2, height=1600)
    page.locator(".fv-stage-plot").first.focus()
    page.keyboard.press("End")
    beat(page, 50)
    assert pixel(page, 2, 0, view=0) == pixel(page, 2, 0, view=1) == INK
    page.evaluate("model.put('position', 0)")
    beat(page, 50)
    assert pixel(page, -2, 0, view=1) == INK


def test_who_joins_a_clock_goes_by_it(show: Any) -> None:
    page = show(moving(states=3, speed=100, clock="one", direction="inverse"), views=1)
    page.evaluate("""async () => {
      const module = await import(URL.createObjectURL(
        new Blob([model.get("_esm")], { type: "text/javascript" })));
      const other = { ...model, state: { ...model.state, direction: "forward" }, listeners: [] };
      const el = document.createElement("div");
      document.body.append(el);
      module.default.render({ model: other, el });
    }""")
    ways = page.locator(".fv-stage-way").all_inner_texts()
    assert ways == ["data → base: density"] * 2
    page.get_by_role("button", name="Direction").first.click()
    assert page.locator(".fv-stage-way").all_inner_texts() == ["base → data: sampling"] * 2


def test_a_position_may_come_before_the_states_that_it_lies_among(show: Any) -> None:
    page = show(Stage(dot((-2, 0), (2, 0)), window=WINDOW))
    more = Stage(dot((0, 0), (0, 1), (0, 2), (0, 3))).get_state()["particles"]
    put(page, position=3, particles=more)
    assert readout(page) == "layer 3 of 3" and pixel(page, 0, 3) == INK


def test_updates_while_it_plays_change_the_marks_and_nothing_else(show: Any) -> None:
    page = show(moving(states=5, loop=True, playing=True))
    steady = page.evaluate("""async () => {
      const fresh = model.get("particles");
      const canvas = document.querySelector(".fv-stage-pixels");
      const context = canvas.getContext("2d");
      const where = () => Number(document.querySelector("input[type=range]").value);
      let blank = 0, back = 0, before = where();
      for (let i = 0; i < 15; i++) {
        model.put("particles", fresh.map((mark) => ({ ...mark })));
        await new Promise(requestAnimationFrame);
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
        const first = new Uint32Array(data.buffer)[0];
        if (new Uint32Array(data.buffer).every((p) => p === first)) blank += 1;
        if (where() < before) back += 1;
        before = where();
        await new Promise((done) => setTimeout(done, 66));
      }
      return { blank, back, moved: before > 0.3 };
    }""")
    assert steady == {"blank": 0, "back": 0, "moved": True}
    assert sent(page) == []


# ---- filling a box ------------------------------------------------------------------------------

BOXED = """async ([width, height]) => {
  const el = views[0];
  Object.assign(el.style, { width: `${width}px`, boxSizing: "border-box" });
  el.parentElement.style.height = "auto";
  if (!el.parentElement.classList.contains("holder")) {
    const holder = document.createElement("div");
    holder.className = "holder";
    document.body.append(holder);
    holder.append(el);
  }
  Object.assign(el.parentElement.style, { width: `${width}px`, height: `${height}px` });
  for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
}"""
GEOMETRY = """() => {
  const rect = (selector) => {
    const { x, y, width, height } = document.querySelector(selector).getBoundingClientRect();
    return { x, y, width, height };
  };
  const scrolls = [...document.querySelectorAll(".holder, .holder *")].filter((e) =>
    /auto|scroll/.test(getComputedStyle(e).overflow) && e.scrollHeight > e.clientHeight);
  return {
    box: rect(".holder"), plot: rect(".fv-stage-plot"), pixels: rect(".fv-stage-pixels"),
    bar: rect(".fv-stage-transport"), scrolls: scrolls.length,
  };
}"""


@pytest.mark.parametrize("axes", [False, True])
def test_it_fills_its_box_in_both_directions(show: Any, axes: bool) -> None:
    window = (-4.0, 4.0, -2.0, 2.0)
    stage = Stage(dot((-2, 0), (2, 0)), window=window, fit=True, tools=False)
    page = show(stage, axes=axes)
    for width, height in ((500, 400), (300, 600), (560, 180), (260, 240), (500, 400)):
        page.evaluate(BOXED, [width, height])
        beat(page, 80)
        at = page.evaluate(GEOMETRY)
        box, plot, pixels, bar = at["box"], at["plot"], at["pixels"], at["bar"]
        assert (box["width"], box["height"]) == (width, height) and at["scrolls"] == 0
        assert pixels["width"] == pytest.approx(2 * pixels["height"], rel=0.02)
        assert bar["y"] + bar["height"] <= box["y"] + height + 0.5
        room = bar["y"] - 6 - box["y"]
        if room > 40:
            assert plot["y"] >= box["y"] - 0.5 and plot["height"] <= room + 1
            # As large as it can be: it touches in one of the two directions, and is centred.
            touches = plot["width"] >= width - 1.5 or plot["height"] >= room - 1.5
            assert touches, (plot, room, width)
            middle = plot["x"] + plot["width"] / 2
            assert middle == pytest.approx(box["x"] + width / 2, abs=1)
    page.evaluate(COUNT_PAINTS)
    beat(page, 300)
    assert page.evaluate("window.paints") == 0, "it is looked at, and grows"


def test_without_a_widest_width_no_inline_style_is_in_the_way(show: Any) -> None:
    page = show(Stage(dot((0, 0)), window=WINDOW))
    assert page.evaluate("document.querySelector('.fv-stage').style.maxWidth") == ""
    page.evaluate("model.put('max_width', 320)")
    beat(page, 60)
    assert page.locator(".fv-stage-plot").bounding_box()["width"] == 320


def test_another_pixel_ratio_alone_redraws_it_sharp(open_page: Any, tmp_path: Path) -> None:
    page = open_page(width=600, height=760)
    # An emulated ratio tells nobody of its change: the stage's own listener is called instead.
    page.add_init_script("""{
      const own = matchMedia;
      globalThis.matchMedia = (query) => {
        const media = own(query);
        if (query.includes("resolution")) globalThis.ratio = media;
        return media;
      };
    }""")
    page.goto(Stage(dot((0, 0)), axes=False).save_html(tmp_path / "stage.html").as_uri())
    width = "document.querySelector('.fv-stage-pixels').width"
    before = page.evaluate(width)
    page.context.new_cdp_session(page).send(
        "Emulation.setDeviceMetricsOverride",
        {"width": 600, "height": 760, "deviceScaleFactor": 2, "mobile": False},
    )
    page.evaluate("ratio.dispatchEvent(new Event('change'))")
    assert page.evaluate(width) == 2 * before
    assert page.evaluate("ratio.media") == "(resolution: 2dppx)", "the next change is heard, too"


def test_printed_both_canvases_go_with_the_paper(show: Any) -> None:
    for fit in (False, True):
        stage = Stage([*[dot((0, 0))], Handles([[2.0, 2.0]])], window=WINDOW, fit=fit, tools=False)
        page = show(stage)
        if fit:
            page.evaluate(BOXED, [560, 500])
            beat(page, 80)
        page.emulate_media(media="print")
        page.evaluate("document.querySelector('.fv-stage').parentElement.style.width = '300px'")
        boxes = page.evaluate("""() => Object.fromEntries(
          ["plot", "pixels", "marks", "handle"].map((name) => {
            const { x, y, width, height } =
              document.querySelector(`.fv-stage-${name}`).getBoundingClientRect();
            return [name, [x, y, width, height]];
          }))""")
        assert boxes["pixels"] == pytest.approx(boxes["marks"], abs=0.6)
        own_layer = "getComputedStyle(document.querySelector('.fv-stage-marks')).opacity < 1"
        assert page.evaluate(own_layer), "printed, the upper canvas would clear the lower"
        assert boxes["plot"][2] == pytest.approx(300, abs=1)
        x, y, width, height = boxes["plot"]
        handle = boxes["handle"]
        assert handle[0] + 16 == pytest.approx(x + 0.75 * width, abs=1)
        assert handle[1] + 16 == pytest.approx(y + 0.25 * height, abs=1)


# ---- the film of a training run -----------------------------------------------------------------


def filmed(**traits: Any) -> Stage:
    """A dot that goes from left to right; in the film it is higher from moment to moment."""
    stage = Stage(dot((-2, 0), (2, 0)), window=WINDOW, **traits)
    stage.film = [Moment(100 * y, [dot((-2, y), (2, y))]) for y in (1, 2, 3)]
    return stage


SEEK = """(moment) => globalThis[Symbol.for("flowviz.clocks")].get("one")
  .act((p) => p.seekMoment(moment))"""


def test_the_film_is_shown_while_the_clock_is_at_a_moment(show: Any) -> None:
    page = show(filmed(clock="one"), views=2, height=1600)
    assert pixel(page, -2, 0) == INK, "live at first"
    for moment, y in ((0, 1), (2, 3), (1, 2), (99, 3)):
        page.evaluate(SEEK, moment)
        assert pixel(page, -2, y) == pixel(page, -2, y, view=1) == INK
        assert pixel(page, -2, 0) == CARD
    put(page, position=1)
    assert pixel(page, 2, 3) == INK
    page.evaluate("model.put('particles', model.get('particles').slice())")
    beat(page, 60)
    assert pixel(page, 2, 3) == INK, "what arrives meanwhile waits"
    page.evaluate(SEEK, -1)
    assert pixel(page, 2, 0) == INK and pixel(page, 2, 3) == CARD
    assert sent(page) == []
    page.evaluate(SEEK, 0)
    put(page, film=[])
    assert pixel(page, 2, 0) == INK and pixel(page, 2, 1) == CARD, "training goes on: live again"


def test_a_film_that_cannot_be_drawn_is_said(show: Any) -> None:
    page = show(filmed(clock="one"))
    bad = {"shape": [1, 9, 2], "half": True, "data": ""}
    put(page, film=[{"step": 1, "marks": {"particles": [{"states": bad}]}}])
    page.evaluate(SEEK, 0)
    assert "The film cannot be drawn" in page.locator(".fv-stage-words").inner_text()
    page.evaluate(SEEK, -1)
    assert page.locator(".fv-stage-words").is_hidden() and pixel(page, -2, 0) == INK


# ---- the static twin ----------------------------------------------------------------------------


def test_the_twin_shows_what_the_page_shows(show: Any) -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((2, 3000, 2)) * [[[1.4, 0.5]], [[0.5, 1.4]]] + [[[1, 0]], [[0, 1]]]
    stage = Stage([Particles(z, size=3)], window=WINDOW, position=0.5)
    page = show(stage)
    seen = page.evaluate("""() => {
      const canvas = document.querySelector(".fv-stage-pixels");
      const { data } = canvas.getContext("2d").getImageData(0, 0, 600, 600);
      return Array.from({ length: 600 * 600 }, (_, i) => 255 - data[4 * i]);
    }""")
    figure = Figure(figsize=(6, 6), dpi=100)
    canvas = FigureCanvasAgg(figure)
    twin.draw(figure.add_axes((0, 0, 1, 1)), stage.marks, position=0.5, window=WINDOW)
    canvas.draw()
    drawn = 255.0 - np.asarray(canvas.buffer_rgba())[..., 0]

    def blocks(picture: Any) -> np.ndarray:
        return np.reshape(picture, (30, 20, 30, 20))[1:-1, :, 1:-1].mean((1, 3)).ravel()

    assert np.corrcoef(blocks(seen), blocks(drawn))[0, 1] > 0.97


# ---- the user's hand ----------------------------------------------------------------------------


def place(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where a data point is on the page."""
    box = page.locator(".fv-stage-plot").first.bounding_box()
    return box["x"] + (x + 4) / 8 * box["width"], box["y"] + (4 - y) / 8 * box["height"]


def test_a_handle_is_dragged(show: Any) -> None:
    page = show(Stage([Handles([[0.0, 0.0], [2.0, 2.0]], labels=["a", "b"])], window=WINDOW))
    page.mouse.move(*place(page, 2.05, 2.0))
    page.mouse.down()
    page.mouse.move(*place(page, -1.0, 1.0), steps=8)
    beat(page, 60)
    during = sent(page)
    assert 1 <= len(during) <= 9 and during[-1]["held"] == {"set": 0, "index": 1}
    page.mouse.up()
    beat(page, 60)
    last = sent(page)[-1]
    assert last["held"] is None
    assert last["handles"][0]["points"][0] == [0, 0]
    assert last["handles"][0]["points"][1] == pytest.approx([-1.05, 1.0], abs=0.03)
    assert last["handles"][0]["labels"] == ["a", "b"]


def test_a_handle_is_moved_by_keys(show: Any) -> None:
    page = show(Stage([Handles([[0.0, 0.0]], labels=["knot"])], window=WINDOW))
    handle = page.get_by_role("button", name="knot at 0, 0")
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    beat(page, 60)
    assert page.evaluate("model.get('held')") is None
    assert sent(page)[-1]["handles"][0]["points"][0] == pytest.approx([0.08, 0.8])
    assert page.get_by_role("button", name="knot at 0.08, 0.8").count() == 1


def test_a_handle_is_dragged_with_a_finger(show: Any) -> None:
    page = show(Stage([Handles([[0.0, 0.0]])], window=WINDOW), has_touch=True)
    touch = page.context.new_cdp_session(page)
    for kind, x in (("touchStart", 0.0), ("touchMove", 1.0), ("touchMove", 2.0), ("touchEnd", 0)):
        px, py = place(page, x, 0)
        points = [] if kind == "touchEnd" else [{"x": px, "y": py}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        beat(page, 30)
    assert sent(page)[-1]["handles"][0]["points"][0] == pytest.approx([2, 0], abs=0.05)


def test_a_held_handle_stays_under_the_finger_while_python_moves_the_others(show: Any) -> None:
    page = show(Stage([Handles([[0.0, 0.0], [2.0, 2.0]])], window=WINDOW))
    page.mouse.move(*place(page, 0, 0))
    page.mouse.down()
    page.mouse.move(*place(page, 1, 1), steps=3)
    put(page, handles=[{"points": [[3, 3], [-2, -2]], "labels": [], "shape": "point"}])
    names = page.locator(".fv-stage-handle").evaluate_all("l => l.map(h => h.ariaLabel)")
    assert names[0].startswith("handle 1 at 1, 1") and names[1].startswith("handle 2 at −2, −2")
    page.mouse.up()


def test_a_handle_that_python_holds_back_snaps_back_when_let_go(show: Any) -> None:
    page = show(Stage([Handles([[0.0, 0.0]])], window=WINDOW))
    page.evaluate("""() => model.on("change:held", () => setTimeout(() => {
      const [mark] = model.get("handles");
      const points = mark.points.map(([x, y]) => [Math.min(x, 1), y]);
      model.put("handles", [{ ...mark, points }]);
    }, 30))""")
    page.mouse.move(*place(page, 0, 0))
    page.mouse.down()
    page.mouse.move(*place(page, 3, 0), steps=5)
    beat(page, 80)
    handle = page.locator(".fv-stage-handle")
    assert handle.get_attribute("aria-label").startswith("handle 1 at 3, 0"), "held, it stays"
    page.mouse.up()
    beat(page, 80)
    assert handle.get_attribute("aria-label").startswith("handle 1 at 1, 0")


def test_points_are_sprayed_undone_and_cleared(show: Any) -> None:
    page = show(Stage(drawing="points", window=WINDOW))
    assert page.locator(".fv-stage-words").inner_text() == "Draw points here"
    drawn = "[...new Float32Array(model.get('drawn').buffer)]"

    def stroke(y: float) -> None:
        page.mouse.move(*place(page, -2, y))
        page.mouse.down()
        page.mouse.move(*place(page, 2, y), steps=6)
        page.mouse.up()
        beat(page, 60)

    stroke(1)
    first = np.array(page.evaluate(drawn)).reshape(-1, 2)
    assert len(first) > 60
    assert abs(first[:, 1].mean() - 1) < 0.05 and -2.5 < first[:, 0].min() < -1.8
    assert page.evaluate("model.sent.length") == 1
    stroke(-1)
    assert len(page.evaluate(drawn)) > 1.8 * first.size
    undo = page.get_by_role("button", name="Undo")
    undo.click()
    np.testing.assert_array_equal(np.array(page.evaluate(drawn)).reshape(-1, 2), first)
    clear = page.get_by_role("button", name="Clear the drawing")
    clear.click()
    assert page.evaluate(drawn) == [] and clear.is_disabled()
    undo.click()
    np.testing.assert_array_equal(np.array(page.evaluate(drawn)).reshape(-1, 2), first)
    undo.click()
    assert page.evaluate(drawn) == [] and undo.is_disabled()
    page.locator(".fv-stage-plot").focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    assert np.array(page.evaluate(drawn)).reshape(-1, 2).mean(0) == pytest.approx([0.2, 0], abs=0.2)


def test_points_from_the_kernel_are_a_step_of_the_drawing(show: Any) -> None:
    page = show(Stage(drawing="points", window=WINDOW))
    undo = page.get_by_role("button", name="Undo")
    assert undo.is_disabled()
    counted = "model.get('drawn').byteLength / 8"

    def spray() -> int:
        page.mouse.move(*place(page, -1, 1))
        page.mouse.down()
        page.mouse.move(*place(page, 1, 1), steps=4)
        page.mouse.up()
        return int(page.evaluate(counted))

    counts = [0, spray(), spray()]
    page.evaluate("model.put('drawn', new DataView(Float32Array.of(0, 1, 2, 3, 3, 3).buffer))")
    counts += [3, spray()]
    assert 0 < counts[1] < counts[2] and counts[4] > 3
    for count in reversed(counts[:-1]):
        undo.click()
        assert page.evaluate(counted) == count
    assert undo.is_disabled()


def test_the_cursor_is_reported_never_faster_than_fifteen_times_a_second(show: Any) -> None:
    page = show(Stage(dot((0, 0)), window=WINDOW, probing=True))
    start = time.perf_counter()
    for i in range(40):
        page.mouse.move(*place(page, -2 + i / 10, 1))
        beat(page, 12)
    beat(page, 150)
    seconds = time.perf_counter() - start
    probes = page.evaluate("model.sent.map((m) => m.probe)")
    assert 3 <= len(probes) <= 15 * seconds + 1
    assert probes[-1] == pytest.approx([1.9, 1], abs=0.02)
    page.locator(".fv-stage-plot").focus()
    page.keyboard.press("ArrowUp")
    beat(page, 150)
    assert page.evaluate("model.get('probe')") == pytest.approx([1.9, 1.2], abs=0.02)


def test_a_particle_is_picked(show: Any) -> None:
    points = np.array([[[0.0, 0.0], [2.0, 1.0]], [[1.0, 0.0], [2.0, -1.0]]])
    page = show(Stage(Particles(points), window=WINDOW, picking=True))
    page.mouse.click(*place(page, 2.05, 1.05))
    assert page.evaluate("model.get('picked')") == 1
    page.keyboard.press("End")
    beat(page, 60)
    assert page.evaluate(SKETCHED, [2, -1]) > 200, "the ring goes with it"
    page.mouse.click(*place(page, -3, -3))
    assert page.evaluate("model.get('picked')") == -1
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    assert page.evaluate("model.get('picked')") == 0


# ---- views, strip, narrow screens ---------------------------------------------------------------


def test_two_views_of_one_model_agree_and_clean_up(show: Any) -> None:
    page = show(Stage(dot((-2, 0), (2, 0)), window=WINDOW), views=2, height=1600)
    page.locator(".fv-stage-plot").first.focus()
    page.keyboard.press("End")
    beat(page, 60)
    assert pixel(page, 2, 0, view=0) == pixel(page, 2, 0, view=1) == INK
    page.evaluate("ends[0]()")
    assert page.locator(".fv-stage").count() == 1
    put(page, position=0)
    assert pixel(page, -2, 0) == INK
    page.evaluate("ends[1]()")
    assert page.locator(".fv-stage").count() == 0
    assert page.evaluate("model.listeners.length") == 0
    page.evaluate(COUNT_PAINTS)
    put(page, position=1)
    page.evaluate(
        "document.documentElement.dataset.fvTheme = 'dark'; dispatchEvent(new Event('resize'))"
    )
    beat(page, 100)
    assert page.evaluate("window.paints") == 0


def test_the_strip_shows_every_state_and_jumps(show: Any) -> None:
    page = show(Stage(dot((-2, 0), (0, 0), (2, 0), size=40), window=WINDOW, strip=True))
    tiles = page.locator(".fv-stage-tile")
    assert tiles.all_inner_texts() == ["z₀ = u", "z₁", "z₂ = x"]
    for view, x in enumerate((-2, 0, 2)):
        # One view's canvases are the (hidden) large one and the tiles, in order.
        assert pixel(page, x, 0, view=view + 1) == INK
    tiles.nth(1).click()
    assert readout(page) == "layer 1 of 2"
    assert tiles.nth(1).get_attribute("aria-current") == "true"
    beat(page, 150)
    assert sent(page)[-1] == {"position": 1}
    page.evaluate(COUNT_PAINTS)
    page.get_by_role("button", name="Play (Space)").click()
    beat(page, 500)
    assert page.evaluate("window.paints") == 0, "thumbnails stand still while it plays"


def rich(**traits: Any) -> Stage:
    rng = np.random.default_rng(0)
    scale = np.linspace(0, 1, 5)[:, None, None]
    u = rng.standard_normal((1, 1500, 2))
    side = np.linspace(-2.5, 2.5, 25)
    g = np.stack(np.meshgrid(side, side), -1).reshape(1, -1, 2)

    def bend(z: np.ndarray) -> np.ndarray:
        return z + scale * np.stack(
            [0.8 * np.sin(1.5 * z[..., 1]), 0.8 * np.cos(1.2 * z[..., 0])], -1
        )

    grid = bend(g).reshape(5, 25, 25, 2)
    a, b = grid[:, 1:, :-1] - grid[:, :-1, :-1], grid[:, :-1, 1:] - grid[:, :-1, :-1]
    area = np.abs(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])
    marks = [Grid(grid, np.log(area / area[0, 0, 0])), Particles(bend(u), label="samples")]
    names = ["base", "coupling", "coupling", "coupling", "data"]
    return Stage(
        marks, window=WINDOW, title="Forward map", state_names=names, max_width=0, **traits
    )


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits(
    open_page: Any, screenshots: Path, tmp_path: Path, strip: bool, width: int, theme: str
) -> None:
    values = {"label": "Σ log|det J|", "values": [0, -0.3, -0.8, -1.2, -1.84]}
    path = rich(strip=strip, position=2.5, readout=values).save_html(tmp_path / "stage.html")
    page = open_page(width=width, height=900, color_scheme=theme, reduced_motion="reduce")
    page.goto(path.as_uri())
    beat(page, 150)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for button in page.get_by_role("button").all():
        box = button.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert "layer 2.5 of 4 · coupling · Σ log|det J| −1.20" in readout(page)
    page.screenshot(
        path=screenshots / f"stage-{'strip' if strip else 'single'}-{width}-{theme}.png"
    )


def test_the_legend_of_a_strip_is_as_wide_as_its_words(show: Any) -> None:
    side = np.linspace(-2, 2, 5)
    grid = np.stack(np.meshgrid(side, side), -1)
    values = np.linspace(-0.1, 0.1, 16).reshape(4, 4)
    cells = Grid(grid, values, value_range=(-0.0823, 0.0823), label="log|det J| of all the layers")
    page = show(Stage([cells], window=WINDOW, strip=True))
    # The box keeps its margin free: words that are cut off begin at the very edge.
    inked = page.evaluate(
        """() => {
          const canvas = document.querySelector("canvas.fv-stage-legend");
          const ratio = canvas.width / canvas.clientWidth;
          const context = canvas.getContext("2d");
          const top = 14 * ratio, height = canvas.height - 24 * ratio;
          const { data } = context.getImageData(1, top, 6 * ratio, height);
          const colours = new Set();
          for (let i = 0; i < data.length; i += 4) colours.add(data.slice(i, i + 4).join());
          return colours.size;
        }"""
    )
    assert inked == 1


# ---- taking it away -----------------------------------------------------------------------------


def test_files_are_named_after_what_is_shown(show: Any) -> None:
    described = "Density after 1,500 steps of forward KL on Two moons, whose contours are drawn"
    page = show(Stage(dot((0, 0)), window=WINDOW, description=described))
    for button, ending in (("picture as PNG", "png"), ("page that plays", "html")):
        with page.expect_download() as download:
            page.get_by_role("button", name=button).click()
        name = "density-after-1-500-steps-of-forward-kl-on-two-moons"
        assert download.value.suggested_filename == f"{name}.{ending}"


def test_a_menu_elsewhere_on_the_page_saves_a_stage_without_buttons(
    show: Any, tmp_path: Path
) -> None:
    page = show(Stage(dot((0, 0)), window=WINDOW, tools=False))
    assert page.locator(".fv-stage-head").is_hidden()
    found = 'globalThis[Symbol.for("flowviz.stages")].get(model.get("key"))'
    for save, name in (
        (f'{found}.savePng("kl-two-moons-spline", [{found}, {found}])', "kl-two-moons-spline.png"),
        (f'{found}.savePage("kl-two-moons-spline", {{ title: "KL" }})', "kl-two-moons-spline.html"),
    ):
        with page.expect_download() as download:
            page.evaluate(save)
        assert download.value.suggested_filename == name
        if name.endswith("png"):
            data = Path(download.value.path()).read_bytes()
            assert int.from_bytes(data[16:20], "big") == 2 * 2 * (600 + 24), "both side by side"
        else:
            assert "<title>KL</title>" in Path(download.value.path()).read_text("utf-8")
    page.evaluate("ends[0]()")
    assert page.evaluate(f"{found} === undefined")


def test_the_png_is_the_picture(show: Any, tmp_path: Path) -> None:
    page = show(Stage(dot((0, 0)), window=WINDOW, title="One dot"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Save this picture as PNG").click()
    assert download.value.suggested_filename == "one-dot.png"
    data = Path(download.value.path()).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    middle = page.evaluate(
        """async (bytes) => {
          const image = await createImageBitmap(new Blob([Uint8Array.from(bytes)]));
          const canvas = new OffscreenCanvas(image.width, image.height);
          const context = canvas.getContext("2d");
          context.drawImage(image, 0, 0);
          const at = (x, y) => [...context.getImageData(x, y, 1, 1).data].slice(0, 3);
          const { width, height } = image;
          return { width, middle: at(width / 2, height - 24 - width / 2 + 24), corner: at(2, 2) };
        }""",
        list(data),
    )
    assert middle == {"width": 2 * (600 + 24), "middle": INK, "corner": CARD}


def test_the_page_saved_from_the_stage_plays_without_network(
    show: Any, open_page: Any, tmp_path: Path, screenshots: Path
) -> None:
    page = show(Stage(dot((-2, 0), (2, 0)), window=WINDOW, title="Away", speed=300))
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a page").click()
    path = tmp_path / "away.html"
    download.value.save_as(path)
    plays_alone(open_page, path)


def test_the_page_saved_from_python_plays_without_network(open_page: Any, tmp_path: Path) -> None:
    stage = Stage(dot((-2, 0), (2, 0)), window=WINDOW, title="Away", speed=300, axes=False)
    plays_alone(open_page, stage.save_html(tmp_path / "away.html"))


@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (390, 844)])
def test_the_page_of_two_stages_fits_its_frame_with_both_scrubbers(
    open_page: Any, tmp_path: Path, screenshots: Path, size: tuple[int, int]
) -> None:
    left, right = filmed(speed=200), filmed()
    html = export.page(
        [left, right],
        title="Two fits",
        titles=["Forward", "Reverse"],
        voices=["forward", "reverse"],
    )
    path = tmp_path / "two.html"
    path.write_text(html, encoding="utf-8")
    page = open_page(width=size[0], height=size[1], reduced_motion="reduce")
    page.goto(path.as_uri())
    beat(page, 150)
    scrolled = "document.documentElement.scroll"
    assert page.evaluate(f"[{scrolled}Width, {scrolled}Height]") == list(size)
    for part in page.locator("button, input, .fv-stage-plot").all():
        if not part.is_visible():
            continue
        box = part.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0]
        assert box["y"] >= 0 and box["y"] + box["height"] <= size[1]
    for plot in page.locator(".fv-stage-plot").all():
        assert min(plot.bounding_box()["width"], plot.bounding_box()["height"]) > 0.25 * min(size)
    assert page.locator(".fv-stage-title").all_inner_texts() == ["Forward", "Reverse"]
    page.get_by_label("Training step").fill("200")
    page.get_by_role("button", name="Next state").click()
    beat(page, 60)
    bars = page.evaluate("flowviz.views.map((v) => [v.scene.particleAt(0, 1), v.player.position])")
    assert bars == [[[2, 2], 1]] * 2
    assert "step 200" in page.locator(".fv-stage-reel").inner_text()
    page.screenshot(path=screenshots / f"stage-page-{size[0]}.png")


def plays_alone(open_page: Any, path: Path) -> None:
    page = open_page(width=600, height=760)
    page.context.set_offline(True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.add_init_script("globalThis.seen = new Set()")
    page.goto(path.as_uri())
    assert page.title() == "Away"
    # By itself, and over and over.
    page.wait_for_function(
        """() => {
          const { position } = flowviz.clock.player;
          seen.add(Math.round(10 * position));
          return seen.has(0) && seen.has(10) && seen.size > 4 && position < 0.5;
        }"""
    )
    page.get_by_role("button", name="Pause (Space)").click()
    for key, x in (("Home", -2), ("End", 2)):
        page.locator("footer").get_by_label("Position between base and data").press(key)
        beat(page, 60)
        assert pixel(page, x, 0) == INK
    page.get_by_role("button", name="Switch between light and dark").click()
    beat(page, 150)
    assert pixel(page, 2, 0) == DARK_INK
    assert asked == [path.as_uri()]
