"""Charts in a real browser without a server: their size, their clock, what they report."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowviz.widgets.charts import (
    Axis,
    BarChart,
    Chart,
    Curve,
    Heatmap,
    LineChart,
    LossChart,
    Series,
    bundle,
)
from flowviz.widgets.stage.export import plain
from tests.browser.shown import beat

TOKENS = Path(__file__).parents[2] / "flowviz" / "widgets" / "tokens.css"
HOME = "http://charts.test/"
PAGE = f"""<!doctype html><html><head><style>
.fv {{ font: 14px var(--fv-font); color: var(--fv-ink); background: var(--fv-card); margin: 0; }}
</style></head><body class="fv">
<script id="jupyter-config-data" type="application/json">
{{"baseUrl": "/", "{bundle.CONFIG_KEY}": "plotly.js"}}
</script></body></html>"""

HARNESS = """async ({ css, tokens, charts }) => {
  const unpacked = (value) => {
    if (!value || typeof value !== "object") return value;
    if (Array.isArray(value)) return value.map(unpacked);
    const made = Object.fromEntries(Object.entries(value).map(([k, v]) => [k, unpacked(v)]));
    if (made.dtype) made.data = Uint8Array.from(atob(made.data), (c) => c.charCodeAt(0));
    return made;
  };
  document.head.prepend(
    Object.assign(document.createElement("style"), { textContent: tokens + css }));
  window.models = [];
  for (const { esm, state, box } of charts) {
    const module = await import(
      URL.createObjectURL(new Blob([esm], { type: "text/javascript" })));
    const model = {
      state: unpacked(state), listeners: [], sent: [],
      get(name) { return this.state[name]; },
      set(name, value) { this.put({ [name]: value }); },
      put(changes) {
        Object.assign(this.state, changes);
        for (const name in changes) {
          for (const [event, run] of [...this.listeners]) {
            if (event.split(" ").includes(`change:${name}`)) run();
          }
        }
      },
      save_changes() {},
      send(message) { this.sent.push(message); },
      on(event, run) { this.listeners.push([event, run]); },
      off(event, run) {
        this.listeners = this.listeners.filter(([e, r]) => e !== event || r !== run);
      },
    };
    const holder = document.createElement("div");
    holder.className = "box";
    holder.style.cssText = `width: ${box[0]}px; height: ${box[1]}px; margin-bottom: 8px`;
    const el = document.createElement("div");
    holder.append(el);
    document.body.append(holder);
    model.end = await module.default.render({ model, el });
    window.models.push(model);
  }
}"""

DRAWN = """count => document.querySelectorAll('.fv-chart-plot .plot-container').length === count"""


@pytest.fixture
def show(open_page: Callable[..., Any]) -> Callable[..., Any]:
    """``show((chart, (width, height)), …)``: a page with each chart in a box of that size."""

    def show_(*charts: tuple[Chart, tuple[int, int]], dark: bool = False) -> Any:
        page = open_page(width=760, height=900)
        page.route(HOME, lambda route: route.fulfill(content_type="text/html", body=PAGE))
        page.route(
            f"{HOME}plotly.js",
            lambda route: route.fulfill(content_type="text/javascript", body=bundle.module()),
        )
        page.goto(HOME)
        if dark:
            page.evaluate("document.documentElement.dataset.fvTheme = 'dark'")
        page.evaluate(
            HARNESS,
            {
                "css": charts[0][0]._css,
                "tokens": TOKENS.read_text(),
                "charts": [
                    {
                        "esm": chart._esm,
                        "box": box,
                        "state": plain(
                            {k: v for k, v in chart.get_state().items() if not k.startswith("_")}
                        ),
                    }
                    for chart, box in charts
                ],
            },
        )
        page.wait_for_function(DRAWN, arg=len(charts))
        beat(page, 100)
        return page

    return show_


def cut(page: Any) -> list[str]:
    """The texts that reach out of their charts' boxes."""
    return page.evaluate(
        """() => [...document.querySelectorAll('.box')].flatMap((box) => {
          const edge = box.getBoundingClientRect();
          return [...box.querySelectorAll('text')].filter((text) => {
            const { left, right, top, bottom, width } = text.getBoundingClientRect();
            return width > 0 && (left < edge.left - 1 || right > edge.right + 1
              || top < edge.top - 1 || bottom > edge.bottom + 1);
          }).map((text) => text.textContent);
        })"""
    )


CLOCK = """frames => {
  const clock = globalThis[Symbol.for("flowviz.clocks")].get("c");
  clock.join(() => {}, frames);
  window.clock = clock;
  window.draws = 0;
  for (const plot of document.querySelectorAll(".fv-chart-drawing")) {
    plot.on("plotly_afterplot", () => { window.draws += 1; });
  }
}"""


def act(page: Any, change: str) -> None:
    """Change the player ``p`` of the clock "c" and let the page draw."""
    page.evaluate(f"() => clock.act((p) => {{ {change} }})")
    beat(page, 150)


def bars_drawn(page: Any) -> list[dict[str, Any]]:
    return page.evaluate(
        """() => [...document.querySelectorAll('.barlayer .point')].map((point) => {
          const style = getComputedStyle(point.querySelector('path'));
          return {
            faint: Number(style.fillOpacity) < 0.5,
            lit: parseFloat(style.strokeWidth) > 1,
            text: point.querySelector('text')?.textContent,
          };
        })"""
    )


def font_sizes(page: Any) -> list[float]:
    return page.evaluate(
        """() => [...document.querySelectorAll('.box text')]
          .map((text) => parseFloat(getComputedStyle(text).fontSize))"""
    )


def test_what_changes_out_of_sight_is_drawn_when_it_is_seen_again(show: Callable[..., Any]) -> None:
    """In a tab that is not open a chart has no size; it has the size that it had when it is."""
    chart = Chart("numbers", height=0)
    chart.show([{"x": [0, 1], "y": [0, 1], "mode": "text", "text": ["before", "here"]}])
    page = show((chart, (300, 200)))
    assert "before" in page.inner_text(".box")
    page.evaluate("document.querySelector('.box').style.display = 'none'")
    page.evaluate(
        """() => window.models[0].set(
          "traces", [{ x: [0, 1], y: [0, 1], mode: "text", text: ["after", "here"] }])"""
    )
    beat(page, 100)
    page.evaluate("document.querySelector('.box').style.display = ''")
    page.wait_for_function("document.querySelector('.box').textContent.includes('after')")


def losses(height: int = 0) -> LossChart:
    chart = LossChart("Objectives", title="KL in nats", height=height)
    steps = list(range(400))
    falling = [3 * 0.99**step + 0.04 for step in steps]
    chart.show_series(
        [
            Series("KL(p*‖p)", steps, falling, [0.1 * value for value in falling]),
            Series("KL(p‖p*)", steps, [v + 0.01 for v in falling], colour="--fv-reverse"),
        ]
    )
    return chart


def test_a_chart_without_height_fills_its_box_and_cuts_no_text(show, screenshots):
    bars = BarChart("log|det|", height=0)
    bars.show_contributions([f"layer {i}" for i in range(4)], [0.74, -0.16, -0.54, -0.34])
    heat = Heatmap("Jacobian", height=0)
    heat.show_matrix([[1.23, 0], [-2.1, 0.4]], zeros=[[0, 1], [0, 0]])
    boxes = [(420, 150), (260, 200), (260, 200), (300, 40)]
    page = show(*zip((losses(), bars, heat, losses()), boxes, strict=True))
    sizes = page.locator(".fv-chart-drawing > .plot-container .main-svg:first-child").evaluate_all(
        "all => all.map((one) => [one.clientWidth, one.clientHeight])"
    )
    assert sizes == [[420, 150], [260, 200], [260, 200], [300, 80]]
    page.screenshot(path=screenshots / "charts-filling.png")
    page.evaluate("document.querySelectorAll('.box')[3].remove()")
    assert cut(page) == []
    assert min(font_sizes(page)) >= 12
    page.evaluate("document.querySelector('.box').style.height = '300px'")
    page.wait_for_function("document.querySelector('.main-svg').clientHeight === 300")
    page.evaluate("document.querySelector('.box').style.height = '120px'")
    page.wait_for_function("document.querySelector('.main-svg').clientHeight === 120")


def test_a_waterfall_fills_with_the_stage_and_leads_to_its_layers(show):
    bars = BarChart("log|det|", height=0, clock="c")
    bars.show_contributions(
        ["a", "b", "c"], [0.74, -0.16, -0.54], film=[[0.1, 0.1, 0.1], [0.2, 0.2, 0.2]]
    )
    page = show((bars, (420, 200)))
    assert [bar["faint"] for bar in bars_drawn(page)] == [False] * 4
    page.evaluate(CLOCK, 3 * 8 + 1)
    act(page, "p.stretches = 8; p.seek(8 + 3)")
    assert [bar["faint"] for bar in bars_drawn(page)] == [False, False, True, False]
    assert [bar["lit"] for bar in bars_drawn(page)] == [False, True, False, False]
    assert bars_drawn(page)[3]["text"] == "0.580"
    draws = page.evaluate("draws")
    for position in range(12, 17):
        act(page, f"p.seek({position})")
    assert page.evaluate("draws") == draws  # the same bar is lit
    act(page, "p.seek(17)")
    assert page.evaluate("draws") == draws + 1
    act(page, "p.moment = 1")
    assert bars_drawn(page)[3]["text"] == "0.600"
    act(page, "p.moment = -1")
    assert bars_drawn(page)[3]["text"] == "0.040"
    column = page.locator(".barlayer .point").first.bounding_box()
    page.mouse.click(column["x"] + column["width"] / 2, 150)
    beat(page, 150)
    assert page.evaluate("clock.player.position") == 8
    assert bars_drawn(page)[0]["lit"]
    assert page.evaluate("models[0].sent") == []
    page.evaluate("models[0].end()")
    assert page.evaluate("clock.members.size") == 1


def test_a_cursor_stands_at_the_moment_of_the_film(show):
    chart = losses()
    chart.clock, chart.moments = "c", [0, 100, 399]
    page = show((chart, (420, 150)))
    page.evaluate(CLOCK, 1)
    cursor = page.locator(".fv-chart-cursor")
    assert cursor.is_hidden()
    places = []
    for moment in range(3):
        act(page, f"p.moment = {moment}")
        places.append(cursor.bounding_box()["x"])
    plot = page.locator(".nsewdrag").bounding_box()
    assert places == pytest.approx(
        [plot["x"] + plot["width"] * share for share in (0, 100 / 399, 1)], abs=1.5
    )
    act(page, "p.moment = -1")
    assert cursor.is_hidden()
    assert page.evaluate("draws") == 0
    assert page.evaluate("models[0].sent") == []


def test_presses_drags_and_arrow_keys_report_where(show):
    chart = LineChart("A curve", x=Axis("t", limits=(0, 10)), height=0)
    chart.show_curves([Curve("f", [0, 10], [0, 1])])
    chart.on_click(print)
    chart.cursor = 2.0
    page = show((chart, (420, 150)))
    box = page.locator(".nsewdrag").bounding_box()

    def at(x: float) -> tuple[float, float]:
        return box["x"] + box["width"] * x / 10, box["y"] + 20

    page.mouse.click(*at(5))
    page.mouse.move(*at(6))
    page.mouse.down()
    began = time.monotonic()
    page.mouse.move(*at(9), steps=30)
    page.mouse.up()
    reports = 1 + (time.monotonic() - began) / 0.066
    beat(page, 150)
    heard = [message["x"] for message in page.evaluate("models[0].sent")]
    assert heard[:2] == pytest.approx([5, 6], abs=0.05)
    assert heard[-1] == pytest.approx(9, abs=0.05)
    assert len(heard) <= 2 + reports
    page.get_by_role("slider", name="Position in A curve").focus()
    page.keyboard.press("Shift+ArrowRight")
    beat(page, 150)
    assert page.evaluate("models[0].sent.at(-1).x") == pytest.approx(3, abs=0.05)


def test_a_lecture_hall_reads_a_chart_too_and_presses_land_where_they_are(show):
    chart = LineChart("A curve", title="f", x=Axis("t", limits=(0, 10)), height=0)
    chart.show_curves([Curve("f", [0, 10], [0, 1])])
    chart.on_click(print)
    page = show((chart, (700, 300)))
    page.add_style_tag(content=".fv-chart { --fv-chart-scale: 1.667 }")
    page.evaluate("document.querySelector('.box').style.width = '690px'")
    beat(page, 200)
    heights = page.locator(".xtick text").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().height)"
    )
    assert min(heights) > 20
    assert cut(page) == []
    box = page.locator(".nsewdrag").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.7, box["y"] + 20)
    assert page.evaluate("models[0].sent[0].x") == pytest.approx(7, abs=0.05)


def test_plotly_is_not_fetched_before_the_page_of_a_stage_is_idle(open_page):
    asked = []
    page = open_page()
    page.route(HOME, lambda route: route.fulfill(content_type="text/html", body=PAGE))

    def serve(route):
        asked.append(route.request.url)
        route.fulfill(content_type="text/javascript", body="export default {}")

    page.route(f"{HOME}plotly.js", serve)
    page.goto(HOME)
    page.evaluate(
        """async (loader) => {
          document.body.insertAdjacentHTML("beforeend", '<div class="fv-stage"></div>');
          window.requestIdleCallback = (run) => { window.idle = run; };
          const { loadPlotly } = await import(
            URL.createObjectURL(new Blob([loader], { type: "text/javascript" })));
          window.loaded = loadPlotly();
        }""",
        (Path(bundle.__file__).with_name("loader.js")).read_text(),
    )
    page.wait_for_function("window.idle !== undefined")
    assert asked == []
    page.evaluate("idle()")
    page.evaluate("loaded.then(() => null)")
    assert len(asked) == 1
