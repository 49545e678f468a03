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
