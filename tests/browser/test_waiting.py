"""The page before its widgets are there: after a while it says what it waits for."""

from __future__ import annotations

from flowviz.serving import paths

SCRIPT = (paths.TEMPLATE / "page.js").read_text(encoding="utf-8")
OUTPUT = (
    '{"output_type": "execute_result", "data": {"application/vnd.jupyter.widget-view+json": {}}}'
)
PAGE = f"""<!doctype html><body>
<div id="fv-loading"><p id="fv-loading-text"></p><i id="fv-loading-bar"></i>
<p id="fv-loading-note">The first start takes a few seconds.</p></div>
<div id="fv-notice" hidden><p></p><button></button></div>
<script>{SCRIPT}</script>
<main id="rendered_cells"><div>
<script type="application/vnd.voila.cell-output+json">{OUTPUT}</script></div></main></body>"""


def test_what_takes_long_is_named(open_page):
    page = open_page()
    page.clock.install()
    page.set_content(PAGE)
    note = page.locator("#fv-loading-note")
    page.clock.run_for(19_000)
    assert note.inner_text() == "The first start takes a few seconds."
    page.clock.run_for(2_000)
    assert "is waiting for the server to start Python." in note.inner_text()
    page.evaluate("voila_process(1, 1)")
    assert "is waiting for PyTorch to load" in note.inner_text()
    page.evaluate("voila_finish()")
    assert "is waiting for the widgets' scripts" in note.inner_text()
    page.evaluate("window.themeLoaded = true; voila_finish()")
    assert "is waiting for the connection to the kernel." in note.inner_text()


def test_a_link_that_asks_for_much_can_be_opened_without_its_settings(open_page):
    page = open_page()
    page.clock.install()
    page.route("http://flowviz.test/**", lambda route: route.fulfill(body=PAGE))
    page.goto("http://flowviz.test/?panel=limits")
    page.clock.run_for(21_000)
    assert page.locator("#fv-loading-note").inner_text().endswith("Reloading may help.")
    page.goto("http://flowviz.test/?panel=limits&cap=99&token=a%26b")
    page.clock.run_for(21_000)
    link = page.get_by_role("link", name="Open the panel without the link's settings")
    assert link.get_attribute("href") == "?panel=limits&token=a%26b"
