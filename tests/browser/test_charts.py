"""plotly.js once for a page, by either way, and figures that change in place."""

from __future__ import annotations

import pytest

from tests.browser.served import only, voila
from tests.browser.shown import beat

CELL = """
import numpy as np, ipywidgets as W
from pathlib import Path
from flowviz.widgets.charts import BarChart, Heatmap, LossChart, Series
from flowviz.widgets.controls import Controls
from flowviz.widgets.layout import card, classed, stack
from flowviz.widgets.state import Integer, PanelState
from flowviz.widgets import charts

class State(PanelState):
    steps = Integer(500, 2, 2000, step=10, label="Steps")

state = State()
loss = LossChart("Objectives", title="objective in nats (log scale)", log=True)
bars = BarChart("log|det| of the layers", title="log|det| of each layer")
heat = Heatmap("Jacobian", rows=["x₁", "x₂"], columns=["u₁", "u₂"])

def draw(_=None):
    t = np.arange(float(state.steps))
    noise = np.random.default_rng(0).normal(size=len(t))
    forward, reverse = np.exp(-t / 200) * 3 + 0.042, 1.37 + 2 * np.exp(-t / 100) + 0.03 * noise
    loss.show_series([
        Series("KL(p*‖p)", t, forward, 0.1 * forward),
        Series("KL(p‖p*)", t, reverse, 0.1 * reverse, colour="--fv-reverse"),
    ])

draw()
state.on_change(draw)
bars.show_contributions(["coupling"] * 4, [0.4, -1.2, 0.3, 0.8])
heat.show_matrix(np.array([[1.23, 0], [-2.1, 0.4]]), zeros=np.array([[0, 1], [0, 0]]))
tokens = Path(charts.__file__).parents[1].joinpath("tokens.css").read_text()
style = W.HTML(f"<style>{tokens}</style>")
classed(W.VBox([style, stack(Controls(state)["steps"], card(loss), card(bars), card(heat))]), "fv")
"""

DRAWN = "document.querySelectorAll('.fv-chart-plot .plot-container').length === 3"
LINE = (
    "[...document.querySelectorAll('.fv-chart-plot')][0].querySelectorAll('.scatterlayer .js-line')"
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    with voila(tmp_path_factory.mktemp("plain"), [CELL]) as address:
        yield address


@pytest.fixture
def visit(open_page):
    def open_(address, drawn=DRAWN, serve=None, **options):
        page = open_page(**options)
        page.traffic = {"received": 0, "sent": []}

        def count(socket):
            socket.on(
                "framereceived",
                lambda data: page.traffic.update(received=page.traffic["received"] + len(data)),
            )
            socket.on("framesent", lambda data: page.traffic["sent"].append(data))

        page.on("websocket", count)
        only(page, address)
        if serve is not None:
            page.route("**/flowviz/static/*.js", serve)
        page.goto(address)
        page.wait_for_function(drawn, timeout=60_000)
        return page

    return open_


def asked(page) -> int:
    """How many charts have asked the kernel for plotly.js."""
    texts = (
        d if isinstance(d, str) else d.decode("utf-8", "replace") for d in page.traffic["sent"]
    )
    return sum('"kind": "plotly"' in text or '"kind":"plotly"' in text for text in texts)


def test_three_charts_take_plotly_from_the_kernel_once(plain, visit, screenshots):
    page = visit(plain, height=1100)
    assert asked(page) == 1
    assert 1.4e6 < page.traffic["received"] < 1.9e6
    labels = page.locator(".fv-chart-plot[role=img]").evaluate_all(
        "all => all.map((one) => one.getAttribute('aria-label'))"
    )
    assert labels[0].startswith("Objectives: KL(p*‖p) 0.")
    assert labels[1].endswith("sum 0.300")
    assert labels[2] == "Jacobian: 1.23, 0; −2.10, 0.400"
    page.screenshot(path=screenshots / "charts-light-1280.png")


def test_a_named_bundle_that_is_missing_is_asked_of_the_kernel(voila_server, visit):
    page = visit(
        voila_server.address(),
        drawn="document.querySelector('.fv-chart-plot .plot-container')",
        serve=lambda route: route.fulfill(status=200, body="not JavaScript"),
    )
    assert asked(page) == 1
    page.problems.clear()  # the browser reports the broken module, rightly


def test_figures_change_in_place(put):
    page = put(CELL)
    page.wait_for_function(f"{LINE}.length > 0")
    page.evaluate("window.before = document.querySelector('.fv-chart-plot .plot-container')")
    path = page.evaluate(f"{LINE}[1].getAttribute('d')")
    track = page.get_by_label("Steps", exact=True)
    track.focus()
    for _ in range(5):
        track.press("PageUp")
    page.wait_for_function(f"d => {LINE}[1].getAttribute('d') !== d", arg=path)
    same = "window.before === document.querySelector('.fv-chart-plot .plot-container')"
    assert page.evaluate(same)
    label = "document.querySelector('.fv-chart-plot').getAttribute('aria-label')"
    page.wait_for_function(f"{label}.includes('at step 1,501')")


def test_colours_follow_the_theme_and_the_kernel_hears_nothing_of_it(put, screenshots):
    page = put(CELL, height=1100)
    page.wait_for_function(DRAWN)
    colour = f"() => {LINE}[1].style.stroke"
    assert page.evaluate(colour) == "rgb(0, 114, 178)"
    beat(page, 500)
    before = len(page.sent)
    page.evaluate("document.documentElement.dataset.fvTheme = 'dark'")
    page.wait_for_function(f"{LINE}[1].style.stroke === 'rgb(86, 180, 233)'")
    beat(page, 300)
    assert len(page.sent) == before
    page.screenshot(path=screenshots / "charts-dark-1280.png")
    page.evaluate("document.documentElement.dataset.fvTheme = 'light'")
    page.wait_for_function(f"{LINE}[1].style.stroke === 'rgb(0, 114, 178)'")


def test_charts_take_the_width_there_is_and_keep_their_height(put, screenshots):
    page = put(CELL, width=400, height=1100)
    page.wait_for_function(DRAWN)
    boxes = page.locator(".fv-chart-plot .main-svg:first-child").evaluate_all(
        "all => all.map((one) => { const b = one.getBoundingClientRect();"
        " return [b.left, b.right, b.height]; })"
    )
    assert all(left >= 0 and right <= 400 for left, right, _ in boxes)
    assert all(height >= 190 for _, _, height in boxes)
    sizes = page.locator(".fv-chart-plot .annotation-text").evaluate_all(
        "all => all.map((one) => parseFloat(one.style.fontSize))"
    )
    assert sizes
    assert min(sizes) >= 12
    page.screenshot(path=screenshots / "charts-light-400.png")
    page.set_viewport_size({"width": 900, "height": 1100})
    page.wait_for_function(
        "document.querySelector('.fv-chart-plot .main-svg').getBoundingClientRect().width > 700"
    )
