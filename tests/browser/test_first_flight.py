"""The picture that a page of the dashboard plays before anything of its kernel is there."""

from __future__ import annotations

import pytest

from flowviz.serving import first_flight, paths

PAGE = f"""<!DOCTYPE html><html data-fv-theme="light"><body>
<figure id="fv-flight" hidden><canvas style="width: 300px; height: 300px"></canvas></figure>
<script id="fv-flight-data" type="application/json">{first_flight.FILE.read_text()}</script>
<script>{(paths.TEMPLATE / "first_flight.js").read_text()}</script></body></html>"""

CENTRE = """canvas => {
  const side = canvas.width;
  const data = canvas.getContext("2d").getImageData(0, 0, side, side).data;
  let [all, near] = [0, 0];
  for (let i = 3; i < data.length; i += 4) {
    if (!data[i]) continue;
    const [x, y] = [((i - 3) / 4) % side, Math.floor((i - 3) / 4 / side)];
    all += 1;
    near += Math.hypot(x / side - 0.5, y / side - 0.5) < 0.1;
  }
  return all > 1000 ? near / all : -1;
}"""
"""The share of what is drawn that lies in the middle: of a Gaussian much, of eight modes none."""


@pytest.fixture
def come(open_page):
    def come_(query: str, **context):
        page = open_page(**context)
        page.route(
            "http://flowviz.test/**",
            lambda route: route.fulfill(body=PAGE, content_type="text/html"),
        )
        page.goto(f"http://flowviz.test/?{query}")
        return page

    return come_


def test_it_plays_from_the_base_to_the_data(come):
    page = come("token=x")
    canvas = page.locator("canvas")
    page.wait_for_function(f"(({CENTRE})(document.querySelector('canvas'))) > 0.1")
    page.wait_for_function(f"(({CENTRE})(document.querySelector('canvas'))) < 0.01")
    page.wait_for_timeout(200)
    seen = canvas.screenshot()
    page.locator("html").evaluate("root => { root.dataset.fvTheme = 'dark'; }")
    page.wait_for_timeout(200)
    assert canvas.screenshot() != seen, "it takes the theme's colours"


def test_who_wants_no_motion_sees_the_data(come):
    page = come("", reduced_motion="reduce")
    page.wait_for_function(f"(({CENTRE})(document.querySelector('canvas'))) >= 0")
    assert page.locator("canvas").evaluate(CENTRE) < 0.01


def test_a_link_to_something_else_shows_nothing_that_will_not_be_there(come):
    page = come("token=x&panel=kl_comparison")
    page.wait_for_timeout(100)
    assert not page.locator("#fv-flight").is_visible()
